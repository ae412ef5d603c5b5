import { Match, type Condition } from '@auditing/proto/archive';
import type { Field } from '@auditing/proto/event';

import { LIST_FIELDS } from '../indexed-fields';

/** A condition, ready to be put to values of its field. */
export interface CompiledCondition {
  readonly field: Field;
  /** True if an event with this value fits; a field that the event lacks is empty text. */
  readonly fits: (value: string) => boolean;
  /** The only values that fit, where they can be looked up instead of being compared; undefined for other conditions. */
  readonly only: readonly string[] | undefined;
}

/** Compiles a condition whose field and match kind are known ones. */
export function compileCondition({ field, match, values, negate }: Condition): CompiledCondition {
  const one = matcher(match, values);
  const any = LIST_FIELDS.has(field) ? (value: string): boolean => listOf(value).some(one) : one;
  const isExact = match !== Match.CONTAINS && match !== Match.PREFIX;
  const only = isExact && !negate && !LIST_FIELDS.has(field) ? values : undefined;
  return { field, fits: (value) => any(value) !== negate, only };
}

/** The elements of a list; an empty list counts as empty text, as a missing field does. */
function listOf(value: string): readonly string[] {
  const list = elements(value);
  return list.length === 0 ? [''] : list;
}

function matcher(match: Match, values: readonly string[]): (value: string) => boolean {
  switch (match) {
    case Match.CONTAINS: {
      const patterns = values.map(containsPattern);
      return (value) => patterns.some((fits) => fits(value));
    }
    case Match.PREFIX: {
      const prefixes = values.map((value) => value.toLowerCase());
      return (value) => {
        const lower = value.toLowerCase();
        return prefixes.some((prefix) => lower.startsWith(prefix));
      };
    }
    case Match.EXACT:
    case Match.UNSPECIFIED:
    case Match.UNRECOGNIZED: {
      const wanted = new Set(values);
      return (value) => wanted.has(value);
    }
  }
}

/**
 * `*` is any text, `?` one character, found anywhere. The pieces between stars are looked for one after the other, each
 * as early as it can be: no backtracking, so no pattern takes more than pattern times value.
 */
export function containsPattern(pattern: string): (value: string) => boolean {
  const pieces = pattern.split('*').filter((piece) => piece !== '');
  if (pieces.every((piece) => !piece.includes('?'))) {
    return (value) => {
      let from = 0;
      return pieces.every((piece) => {
        const at = value.indexOf(piece, from);
        from = at + piece.length;
        return at !== -1;
      });
    };
  }
  const pieceCharacters = pieces.map((piece) => Array.from(piece));
  return (value) => {
    const characters = Array.from(value);
    let from = 0;
    return pieceCharacters.every((piece) => {
      const at = findPiece(characters, piece, from);
      from = at + piece.length;
      return at !== -1;
    });
  };
}

function findPiece(characters: readonly string[], piece: readonly string[], from: number): number {
  for (let at = from; at + piece.length <= characters.length; at += 1) {
    if (
      piece.every((character, index) => character === '?' || character === characters[at + index])
    )
      return at;
  }
  return -1;
}

/** The elements of a list value; a value that is no list stands for itself. */
function elements(value: string): readonly string[] {
  if (value === '') return [];
  try {
    const list = JSON.parse(value) as unknown;
    return Array.isArray(list) ? list.map(String) : [value];
  } catch {
    return [value];
  }
}

/** The values of a field that a facet counts: the elements of a list, else the value; never an empty one. */
export function facetValues(field: Field, value: string): readonly string[] {
  const all = LIST_FIELDS.has(field) ? [...new Set(elements(value))] : [value];
  return all.filter((one) => one !== '');
}
