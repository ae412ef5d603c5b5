/** How long answers are remembered, and how many. */
export interface Memory<T> {
  /** Milliseconds that an answer counts. */
  readonly ttlMs: (answer: T) => number;
  readonly max: number;
  /** Milliseconds on any clock that does not run backwards. */
  readonly now: () => number;
}

interface Entry<T> {
  readonly answer: Promise<T>;
  /** Infinity until it is known. */
  until: number;
}

/**
 * Remembers what was found out. Who asks while it is being found out waits for the same answer; failures are not
 * remembered; beyond `max` keys the oldest are forgotten.
 */
export function remembered<T>(
  memory: Memory<T>,
): (key: string, find: () => Promise<T>) => Promise<T> {
  const entries = new Map<string, Entry<T>>();
  const forget = (key: string, entry: Entry<T>): void => {
    if (entries.get(key) === entry) entries.delete(key);
  };
  return (key, find) => {
    const known = entries.get(key);
    if (known !== undefined && known.until > memory.now()) return known.answer;
    const entry: Entry<T> = { answer: find(), until: Infinity };
    entries.delete(key);
    entries.set(key, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= memory.max) break;
      entries.delete(oldest);
    }
    entry.answer.then(
      (answer) => (entry.until = memory.now() + memory.ttlMs(answer)),
      () => forget(key, entry),
    );
    return entry.answer;
  };
}
