import type { Existence, Test } from './condition';
import { resolvePath, type FieldReader, type ResolvedPath } from './field-source';
import { FALSE, TRUE, type Outcome } from './outcome';
import { compileWalk, type Leaf, type Step } from './path-walk';
import type { Problem } from './problem';
import { compileValueTest, hasContent, type ValueTest } from './value-test';

/** A test ready to be asked of the event that a reader stands at. */
export type CompiledTest = (reader: FieldReader) => Outcome;

/**
 * Compiles one test.
 *
 * @returns a problem if the test can never be asked, such as a bad regular expression
 */
export function compileTest(test: Test, reader: FieldReader): CompiledTest | Problem {
  const leaf = test.kind === 'exists' ? existenceLeaf(test) : valueLeaf(test);
  if ('severity' in leaf) return leaf;
  const path = resolvePath(test.path);
  const walk = compileWalk(stepsFor(test, path), leaf);
  const slot = reader.slot(path.root);
  return (current) => walk(current.read(slot));
}

/** `ipInCidr` asks each element of SourceIPs: the list as a whole is no address. */
function stepsFor(test: Test, { root, steps }: ResolvedPath): readonly Step[] {
  const isAddressTest = test.kind === 'member' && test.operator === 'ipInCidr';
  const isWholeList = 'field' in root && root.field === 'SourceIPs' && steps.length === 0;
  return isAddressTest && isWholeList ? [{ index: { kind: 'any' } }] : steps;
}

function existenceLeaf({ negated }: Existence): Leaf {
  const ask = (value: Parameters<typeof hasContent>[0]): Outcome =>
    hasContent(value) !== negated ? TRUE : FALSE;
  return { present: ask, absent: ask, element: ask };
}

function valueLeaf(test: Exclude<Test, Existence>): Leaf | Problem {
  const present = compileValueTest(test);
  if (typeof present !== 'function') return present;
  return { present, absent: () => FALSE, element: elementTest(test, present) };
}

/** `contains` alone sees a null element, as the text `<nil>`; to all other tests it is missing. */
function elementTest(test: Test, present: ValueTest): Leaf['element'] {
  if (test.kind === 'match' && test.operator === 'contains') return present;
  return (element) => (element === null ? FALSE : present(element));
}
