/** Where a part stands in the text of its condition: offsets in UTF-16 units, the end is exclusive. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Which elements of an array a path goes on with. */
export type Index =
  /** `[*]`: it is enough that one element does. */
  | { readonly kind: 'any' }
  /** `[n]`: the element at this place, from 0. */
  | { readonly kind: 'at'; readonly at: number }
  /** `[a:b]`: all elements from `start` up to, but without, `end`; to the last where it is undefined. */
  | { readonly kind: 'range'; readonly start: number; readonly end: number | undefined };

/** One step of a path. */
export interface Segment {
  readonly key: string;
  readonly indexes: readonly Index[];
}

/** A path into an event, or a `${reference}` with what follows it. */
export interface Path extends Span {
  readonly kind: 'path';
  /** True if the key of the first segment is the name in a `${reference}`. */
  readonly isReference: boolean;
  /** Never empty. */
  readonly segments: readonly [Segment, ...Segment[]];
}

/** A quoted text, exactly as between the quotes: a backslash is a character like any other. */
export interface TextLiteral extends Span {
  readonly kind: 'text';
  readonly text: string;
}

/** A number, as written. */
export interface NumberLiteral extends Span {
  readonly kind: 'number';
  readonly text: string;
}

/** `true` or `false`. */
export interface BooleanLiteral extends Span {
  readonly kind: 'boolean';
  readonly value: boolean;
}

/** An operator that compares by order or identity. */
export type OrderOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';

/** Field against value. A text is compared as text, a number as a number, a boolean as a boolean. */
export interface Comparison extends Span {
  readonly kind: 'compare';
  readonly path: Path;
  readonly operator: OrderOperator;
  readonly value: TextLiteral | NumberLiteral | BooleanLiteral;
}

/** Field against a pattern. */
export interface Match extends Span {
  readonly kind: 'match';
  readonly path: Path;
  readonly operator: 'contains' | 'like' | 'regex';
  readonly negated: boolean;
  readonly value: TextLiteral | NumberLiteral;
}

/** Field against a list: of texts for `in`, of address ranges for `ipInCidr`. */
export interface Membership extends Span {
  readonly kind: 'member';
  readonly path: Path;
  readonly operator: 'in' | 'ipInCidr';
  readonly negated: boolean;
  /** References among them are lists; `expand` puts their items here. */
  readonly items: readonly (TextLiteral | NumberLiteral | Path)[];
}

/** Whether a field has a value. */
export interface Existence extends Span {
  readonly kind: 'exists';
  readonly path: Path;
  readonly negated: boolean;
}

/** A bare field, taken as a boolean; or a `${reference}` that stands for a condition. */
export interface Truth extends Span {
  readonly kind: 'truth';
  readonly path: Path;
}

/** Two or more conditions joined by the same word. */
export interface Chain extends Span {
  readonly kind: 'and' | 'or';
  readonly operands: readonly Condition[];
}

/** The opposite. True where a field is missing, unlike the negated operators. */
export interface Negation extends Span {
  readonly kind: 'not';
  readonly operand: Condition;
}

/** A condition that looks at one field. */
export type Test = Comparison | Match | Membership | Existence | Truth;

/** A condition as a tree. */
export type Condition = Chain | Negation | Test;
