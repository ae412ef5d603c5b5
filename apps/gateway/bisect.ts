/** A run of events of a part. */
export interface EventRange {
  /** Index of the first, from 0. */
  readonly first: number;
  /** How many. */
  readonly count: number;
}

/** An error after which the same request will never succeed; `cause` is what was answered. */
export class FinalError extends Error {
  override readonly name = 'FinalError';

  constructor(override readonly cause: unknown) {
    super('refused for good', { cause });
  }
}

/** What to do with a range, and with an event that cannot be taken. */
export interface BisectSteps<Result> {
  /** Rejects with FinalError if the range cannot be taken as it is; any other error ends the bisecting. */
  readonly attempt: (range: EventRange) => Promise<Result>;
  /** Puts one event aside, durably. */
  readonly bury: (event: number, cause: unknown) => Promise<void>;
}

/**
 * Brings a range of events to somebody who may refuse some of them: a refused range is halved until the bad event
 * stands alone, which is buried; all others go through.
 *
 * The ranges depend only on the first one and on what is refused, so a replay after a crash sends the same ones and
 * their receiver knows them again. Halves go one after the other, in order.
 *
 * @returns the results of the ranges that went through, in order
 */
export async function bisect<Result>(
  range: EventRange,
  steps: BisectSteps<Result>,
): Promise<Result[]> {
  try {
    return [await steps.attempt(range)];
  } catch (error) {
    if (!(error instanceof FinalError)) throw error;
    if (range.count <= 1) {
      await steps.bury(range.first, error.cause);
      return [];
    }
  }
  const half = Math.floor(range.count / 2);
  const left = await bisect({ first: range.first, count: half }, steps);
  const right = await bisect({ first: range.first + half, count: range.count - half }, steps);
  return [...left, ...right];
}
