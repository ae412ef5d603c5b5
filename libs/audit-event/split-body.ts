import type { Source } from '@auditing/proto/event';

/** One entry of a body that is no event. */
export interface BadItem {
  /** Where: a path such as `$.items[3]` or `$[2]`, after `byte N: ` if the body holds several values. */
  readonly at: string;
  /** Its bytes, a view into the body. */
  readonly bytes: Buffer;
  readonly reason: string;
}

/** A body, cut into its events. */
export interface SplitBody {
  /** The exact bytes of each event, in order; views into the body. */
  readonly slices: Buffer[];
  readonly badItems: BadItem[];
  /** What an event is taken for whose own keys do not say it. */
  readonly listSource: Source;
}

/** No event can be read from a body. */
export class BodyError extends Error {
  override readonly name = 'BodyError';

  constructor(
    message: string,
    /** Where, as in BadItem. */
    readonly at: string,
  ) {
    super(message);
  }
}

/** Cuts a body into its events. Throws BodyError when no event can be read from it. */
export function splitBody(_body: Buffer): SplitBody {
  throw new Error('being written');
}
