import type { EventField } from './event-fields';

/** What a dotted path names: a known field and keys below it, or another top-level key and keys below it. */
export type ResolvedField =
  | { readonly field: EventField; readonly rest: readonly string[] }
  | { readonly other: string; readonly rest: readonly string[] };

/** Finds the field that a path names, in any of the spellings in use. */
export declare function resolveField(segments: readonly string[]): ResolvedField;

/** The known field whose name is nearest to a mistyped one; undefined if none is near. */
export declare function suggestField(name: string): EventField | undefined;
