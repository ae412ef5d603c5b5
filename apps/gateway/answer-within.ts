import { Refusal } from './refusal';
import type { Intake } from './take-body';

const RETRY_AFTER_S = 1;

/**
 * The outcome of `work` if it comes in time. Work that takes longer goes on: when the body is sent again it is
 * known by its hash, and only what is still missing is done.
 *
 * @throws {Refusal} 503 if it does not come in time.
 */
export async function answerWithin(
  ms: number,
  work: Promise<void>,
  { log, metrics }: Pick<Intake, 'log' | 'metrics'>,
): Promise<void> {
  const observe = metrics.answerSeconds.startTimer();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      work.catch((error: unknown) => {
        log.warn({ err: error }, 'a body failed after its sender had been told to send it again');
      });
      const message = `not on disk within ${ms / 1000} s; it is being written, send it again`;
      reject(new Refusal(503, message, { retryAfterS: RETRY_AFTER_S }));
    }, ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    observe();
  }
}
