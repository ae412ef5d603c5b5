import { EVENT_FIELDS, type EventField } from './event-fields';

/** What a dotted path names: a known field, or another top-level key; and the keys below it. */
export type ResolvedField =
  | { readonly field: EventField; readonly rest: readonly string[] }
  | { readonly other: string; readonly rest: readonly string[] };

const BY_FOLDED: ReadonlyMap<string, EventField> = new Map(
  EVENT_FIELDS.map((field) => [field.toLowerCase(), field]),
);

/** A typo is this many changes at most, by the length of the name: one in three characters. */
const CHARACTERS_PER_TYPO = 3;

/**
 * Finds the field that a path names, whatever its case: `ObjectRef.Resource` as the rules of KubeSphere have it,
 * `objectRef.resource` as Kubernetes writes it, `User.Username` as the manual of KubeSphere does. Keys below a known
 * field (in request and response objects, annotations, extras) stay as they are written.
 */
export function resolveField(segments: readonly string[]): ResolvedField {
  const [first = '', second, ...rest] = segments;
  const top = BY_FOLDED.get(first.toLowerCase());
  if (top === undefined) return { other: first, rest: segments.slice(1) };
  const nested = second === undefined ? undefined : BY_FOLDED.get(`${top}.${second}`.toLowerCase());
  return nested === undefined ? { field: top, rest: segments.slice(1) } : { field: nested, rest };
}

/**
 * The known field that a mistyped or shortened name may mean: `ObjectRef.Namespace` for `namespace` and for
 * `ObjectRef.Namespce`. Undefined if none is near.
 */
export function suggestField(name: string): EventField | undefined {
  const folded = name.toLowerCase();
  const shortened = EVENT_FIELDS.find((field) => field.toLowerCase().endsWith(`.${folded}`));
  if (shortened) return shortened;
  let nearest: EventField | undefined;
  let fewest = Math.max(1, Math.floor(folded.length / CHARACTERS_PER_TYPO)) + 1;
  for (const field of EVENT_FIELDS) {
    const changes = editDistance(folded, field.toLowerCase());
    if (changes < fewest) {
      fewest = changes;
      nearest = field;
    }
  }
  return nearest;
}

/** How many characters must be added, removed, replaced or swapped with their neighbour to turn one text into the other. */
function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 0; row < from.length; row++) {
    const current = [row + 1];
    for (let column = 0; column < to.length; column++) {
      const replaced = (previous[column] ?? 0) + (from[row] === to[column] ? 0 : 1);
      const removed = (previous[column + 1] ?? 0) + 1;
      const added = (current[column] ?? 0) + 1;
      const isSwapped = from[row] === to[column - 1] && from[row - 1] === to[column];
      const swapped = row > 0 && column > 0 && isSwapped ? beforePrevious[column - 1] : undefined;
      current.push(Math.min(replaced, removed, added, (swapped ?? Infinity) + 1));
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
