import type { JsonValue } from '@auditing/audit-event/event-fields';
import { isJsonObject } from '@auditing/audit-event/field-keys';
import type { Index, Segment } from './condition';
import { FALSE, MISMATCH, TRUE, type Outcome } from './outcome';
import { ownValue } from './text-value';

/** One step of a walk: down to a key, or into the elements of an array. */
export type Step = { readonly key: string } | { readonly index: Index };

/** What is asked at the end of a path. */
export interface Leaf {
  /** Of a value that is there: not null, and no object. */
  readonly present: (value: JsonValue) => Outcome;
  /** Where there is no value, null, or an object, which has no text of its own. */
  readonly absent: (value: JsonValue | undefined) => Outcome;
  /** Of an element itself, where the path ends in an index; and of a null below an element. */
  readonly element: (value: JsonValue) => Outcome;
}

/** Asks something of a value and what lies below it. */
export type Walk = (value: JsonValue | undefined) => Outcome;

/**
 * Compiles the way from a value to the leaves of a path.
 *
 * `[*]` is true if one element is; `[n]` and `[a:b]` if all they select are, and they select something. What an
 * element lacks makes that element false, never the ones beside it.
 */
export function compileWalk(steps: readonly Step[], leaf: Leaf): Walk {
  const { keys, inner } = split(steps, leaf);
  return (root) => {
    let value = root;
    for (const key of keys) value = isJsonObject(value) ? ownValue(value, key) : undefined;
    return inner(value);
  };
}

/** Cuts a path into the keys before its first index, and the walk from there on. */
function split(steps: readonly Step[], leaf: Leaf): { keys: string[]; inner: Walk } {
  const place = steps.findIndex((step) => 'index' in step);
  if (place === -1) return { keys: keysOf(steps), inner: endWalk(leaf) };
  return { keys: keysOf(steps.slice(0, place)), inner: compileArray(steps, place, leaf) };
}

function endWalk(leaf: Leaf): Walk {
  return (value) => {
    const isThere = value !== undefined && value !== null && !isJsonObject(value);
    return isThere ? leaf.present(value) : leaf.absent(value);
  };
}

/** The steps of a path below its root. */
export function stepsOf(segments: readonly Segment[]): Step[] {
  return segments.flatMap(({ key, indexes }) => [{ key }, ...indexes.map((index) => ({ index }))]);
}

function keysOf(steps: readonly Step[]): string[] {
  return steps.flatMap((step) => ('key' in step ? [step.key] : []));
}

/** The walk through the array that the step at `place` indexes. */
function compileArray(steps: readonly Step[], place: number, leaf: Leaf): Walk {
  const step = steps[place];
  const index: Index = step !== undefined && 'index' in step ? step.index : { kind: 'any' };
  const ofElement = compileElement(steps.slice(place + 1), leaf);
  const join = index.kind === 'any' ? someElement : everyElement;
  return (value) => {
    if (Array.isArray(value))
      return join(selected(value as readonly JsonValue[], index), ofElement);
    return value === undefined || value === null || typeof value === 'object' ? FALSE : MISMATCH;
  };
}

function compileElement(steps: readonly Step[], leaf: Leaf): (element: JsonValue) => Outcome {
  if (steps.length === 0) return leaf.element;
  const { keys, inner } = split(steps, {
    ...leaf,
    absent: (value) => (value === null ? leaf.element(null) : leaf.absent(value)),
  });
  return (element) => {
    let value: JsonValue | undefined = element;
    for (const key of keys) {
      if (value !== undefined && value !== null && !isJsonObject(value)) return MISMATCH;
      value = isJsonObject(value) ? ownValue(value, key) : undefined;
    }
    return inner(value);
  };
}

function selected(array: readonly JsonValue[], index: Index): readonly JsonValue[] {
  switch (index.kind) {
    case 'any':
      return array;
    case 'at':
      return array.slice(index.at, index.at + 1);
    case 'range':
      return array.slice(index.start, index.end);
  }
}

function someElement(
  elements: readonly JsonValue[],
  ask: (element: JsonValue) => Outcome,
): Outcome {
  let result: Outcome = FALSE;
  for (const element of elements) {
    const answer = ask(element);
    if (answer === TRUE) return TRUE;
    if (answer === MISMATCH) result = MISMATCH;
  }
  return result;
}

function everyElement(
  elements: readonly JsonValue[],
  ask: (element: JsonValue) => Outcome,
): Outcome {
  for (const element of elements) {
    const answer = ask(element);
    if (answer !== TRUE) return answer;
  }
  return elements.length > 0 ? TRUE : FALSE;
}

/** All values that a path leads to, in order; what is missing is left out. For people: tests use a walk. */
export function collectValues(root: JsonValue | undefined, steps: readonly Step[]): JsonValue[] {
  let values: (JsonValue | undefined)[] = [root];
  for (const step of steps) {
    values = values.flatMap((value): readonly (JsonValue | undefined)[] => {
      if ('key' in step) return isJsonObject(value) ? [ownValue(value, step.key)] : [];
      return Array.isArray(value) ? selected(value as readonly JsonValue[], step.index) : [];
    });
  }
  return values.filter((value) => value !== undefined);
}
