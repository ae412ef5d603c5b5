import type { EventField, EventFields, JsonValue } from '@auditing/audit-event/event-fields';
import { resolveField } from '@auditing/audit-event/resolve-field';
import type { Path, Segment } from './condition';
import { stepsOf, type Step } from './path-walk';

/** Where a path starts in an event: a field that both senders know, or another top-level key. */
export type Root = { readonly field: EventField } | { readonly other: string };

/** A path as the engine walks it. */
export interface ResolvedPath {
  readonly root: Root;
  /** From the root's value on. */
  readonly steps: readonly Step[];
  /** Equal for paths that lead to the same place, however they are spelt. */
  readonly key: string;
}

/** What was resolved: checking, planning and projecting a rule each ask for the same paths. */
const resolvedPaths = new WeakMap<readonly Segment[], ResolvedPath>();

/** Finds where a path starts. References must have been expanded. */
export function resolvePath({ segments }: Path): ResolvedPath {
  let resolved = resolvedPaths.get(segments);
  if (resolved === undefined) {
    resolved = resolve(segments);
    resolvedPaths.set(segments, resolved);
  }
  return resolved;
}

function resolve(segments: readonly Segment[]): ResolvedPath {
  const indexed = segments.findIndex(({ indexes }) => indexes.length > 0);
  const last = indexed === -1 ? segments.length - 1 : indexed;
  const resolved = resolveField(segments.slice(0, last + 1).map(({ key }) => key));
  const root = 'field' in resolved ? { field: resolved.field } : { other: resolved.other };
  const steps: Step[] = [
    ...resolved.rest.map((key) => ({ key })),
    ...(segments[last]?.indexes ?? []).map((index) => ({ index })),
    ...stepsOf(segments.slice(last + 1)),
  ];
  return { root, steps, key: JSON.stringify([root, steps]) };
}

/** The name of a root, unique among both kinds. */
export function rootName(root: Root): string {
  return 'field' in root ? root.field : `other:${root.other}`;
}

/** Reads a root's value out of an event. */
export function readRoot(event: EventFields, root: Root): JsonValue | undefined {
  return 'field' in root ? event.get(root.field) : event.other(root.other);
}

/**
 * Reads the fields of one event after the other, each field of an event once: reading one may mean decoding a
 * column or parsing the whole event.
 */
export class FieldReader {
  private readonly slots = new Map<string, number>();
  private readonly roots: Root[] = [];
  private values: (JsonValue | undefined)[] = [];
  private readAt: number[] = [];
  private generation = 0;
  private event: EventFields | undefined;

  /** The place of a root's value. The same root always has the same place. */
  slot(root: Root): number {
    const name = rootName(root);
    let slot = this.slots.get(name);
    if (slot === undefined) {
      slot = this.roots.length;
      this.slots.set(name, slot);
      this.roots.push(root);
      this.readAt.push(0);
    }
    return slot;
  }

  /** Goes on to another event. */
  begin(event: EventFields): void {
    this.event = event;
    this.generation += 1;
  }

  /** Lets go of the event, so that it is not kept alive between batches. */
  end(): void {
    this.event = undefined;
    this.values.fill(undefined);
  }

  /** The value at a place. */
  read(slot: number): JsonValue | undefined {
    if (this.readAt[slot] !== this.generation) {
      const root = this.roots[slot];
      this.values[slot] = root && this.event ? readRoot(this.event, root) : undefined;
      this.readAt[slot] = this.generation;
    }
    return this.values[slot];
  }
}
