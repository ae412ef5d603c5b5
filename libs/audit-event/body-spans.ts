import type { BodyField } from './event-document';

/** Bytes of an event, from its beginning on. */
export interface Span {
  readonly start: number;
  /** The position after the last one. */
  readonly end: number;
}

/** Where the bodies of an event are; undefined for one that it has not, or that is null. */
export type BodySpans = Readonly<Record<BodyField, Span | undefined>>;

/** Most events have none. */
export const NO_BODIES: BodySpans = { RequestObject: undefined, ResponseObject: undefined };
