import { cancelled } from '@auditing/service/wait';
import type { Answer } from './receiver';

/** Waits, but no longer than until the signal aborts. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(cancelled());
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Resolves as soon as one took them; else with a refusal, which says more than a failure to connect. */
export async function firstTaken(answers: readonly Promise<Answer>[]): Promise<Answer> {
  const taken = answers.map(async (one) => {
    const answer = await one;
    if (answer.kind !== 'taken') throw new NotTaken(answer);
    return answer;
  });
  try {
    return await Promise.any(taken);
  } catch (error) {
    const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
    const others = errors.filter((one) => !(one instanceof NotTaken));
    if (others.length > 0) throw others[0];
    const failed = (errors as readonly NotTaken[]).map(({ answer }) => answer);
    const refused = failed.find(({ kind }) => kind === 'refused');
    return refused ?? failed[0] ?? { kind: 'retry', reason: 'no instance is known' };
  }
}

/** Carries an answer through Promise.any. */
class NotTaken extends Error {
  constructor(readonly answer: Answer) {
    super(answer.kind);
  }
}
