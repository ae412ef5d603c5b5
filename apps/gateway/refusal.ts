/** Answers to a body that is not taken. */
export type RefusalStatus = 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 429 | 503;

/** A body is not taken: thrown anywhere on its way, answered by the webhook server. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  /** @param message what was expected, what came, what to do; the sender gets it. */
  constructor(
    readonly status: RefusalStatus,
    message: string,
    readonly details: {
      /** Where in the body. */
      readonly at?: string;
      /** After how many seconds to try again, from 1 to 5. */
      readonly retryAfterS?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: details.cause });
  }
}

/** The sender went away before its body was whole: there is nobody to answer. */
export class SenderGoneError extends Error {
  override readonly name = 'SenderGoneError';
}

/** The answer to a body over the limit. */
export function tooLarge(maxBytes: number): Refusal {
  return new Refusal(
    413,
    `expected a body of at most ${maxBytes} bytes, unpacked; send fewer events in one, or allow more by AUDITING_BODY_MAX_BYTES`,
  );
}
