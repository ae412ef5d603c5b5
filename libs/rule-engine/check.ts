import type { EventField } from '@auditing/audit-event/event-fields';
import { EVENT_FIELDS } from '@auditing/audit-event/event-fields';
import { suggestField } from '@auditing/audit-event/resolve-field';
import { checkValue, LISTS } from './check-value';
import type { Test } from './condition';
import { resolvePath, type ResolvedPath } from './field-source';
import { printPath } from './path-text';
import { warning, type Problem } from './problem';
import { compileValueTest } from './value-test';

/** Fields that are objects whose keys are all known. */
const CLOSED_OBJECTS: ReadonlySet<string> = new Set([
  'User',
  'ImpersonatedUser',
  'ObjectRef',
  'ResponseStatus',
]);

/** Keys below closed objects that real events have, though no rule should need them. */
const RARE_KEYS: ReadonlySet<string> = new Set([
  'ResponseStatus.metadata',
  'ResponseStatus.details',
]);

/** Fields that hold an object or a list of one's own making: anything may be below them. */
const OPEN_FIELDS: ReadonlySet<string> = new Set([
  'RequestObject',
  'ResponseObject',
  'Annotations',
  'User.extra',
  'ImpersonatedUser.extra',
]);

/**
 * Says what is wrong with one expanded test: errors if it can never be asked, warnings if it is unlikely to do
 * what its author meant.
 */
export function checkTest(test: Test): Problem[] {
  const error = errorOf(test);
  if (error !== undefined) return [error];
  const path = resolvePath(test.path);
  const found = checkField(test, path) ?? checkOwnValue(test, path) ?? checkNumber(test);
  return found === undefined ? [] : [warning(test.path.from, found)];
}

/** Why a test can never be asked; only patterns and address ranges can be so wrong. */
function errorOf(test: Test): Problem | undefined {
  if (!('operator' in test) || (test.operator !== 'regex' && test.operator !== 'ipInCidr'))
    return undefined;
  const compiled = compileValueTest(test);
  return typeof compiled === 'function' ? undefined : compiled;
}

/** Numbers are doubles, so that beyond 2^53 a whole number is equal to its neighbours. */
function checkNumber(test: Test): string | undefined {
  if (test.kind !== 'compare' || test.value.kind !== 'number') return undefined;
  const { text } = test.value;
  if (text.includes('.') || Number.isSafeInteger(Number(text))) return undefined;
  return `numbers beyond ${Number.MAX_SAFE_INTEGER} are not told apart from their neighbours; ${text} is one`;
}

function checkOwnValue(test: Test, { root, steps }: ResolvedPath): string | undefined {
  return 'other' in root || steps.length > 0 ? undefined : checkValue(test, root.field);
}

/** What is wrong with the field itself. */
function checkField(test: Test, { root, steps }: ResolvedPath): string | undefined {
  if ('other' in root) return unknownField(test);
  const { field } = root;
  const [first] = steps;
  const isOpen = OPEN_FIELDS.has(field);
  if (isOpen || CLOSED_OBJECTS.has(field)) {
    if (first === undefined) return test.kind === 'exists' ? undefined : bareObject(test, field);
    if (isOpen) return undefined;
    const key = 'key' in first ? `${field}.${first.key}` : '';
    return RARE_KEYS.has(key) ? undefined : unknownField(test);
  }
  if (first === undefined) return undefined;
  const name = printPath(test.path);
  if ('key' in first) return `\`${field}\` has no fields below it${didYouMean(name)}`;
  return LISTS.has(field) ? undefined : `\`${field}\` is no list, so \`${name}\` is never there`;
}

function bareObject({ path }: Test, field: EventField): string {
  const below = EVENT_FIELDS.find((known) => known.startsWith(`${field}.`));
  const example = below === undefined ? '' : `, such as ${below}`;
  return `\`${printPath(path)}\` is an object, which has no value of its own: name a field below it${example}`;
}

function unknownField({ path }: Test): string {
  const name = printPath(path);
  return `no event has a field \`${name}\`${didYouMean(name)}`;
}

function didYouMean(name: string): string {
  const suggestion: EventField | undefined = suggestField(name.replace(/\[[^\]]*\]/g, ''));
  return suggestion === undefined ? '' : `; did you mean ${suggestion}?`;
}
