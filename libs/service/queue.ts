/** Values on their way from whoever has them to one reader, in order. */
export interface Queue<T> extends AsyncIterable<T> {
  /** Adds a value. After `end`, `fail` or the reader's leaving it is dropped. */
  readonly push: (value: T) => void;
  /** No more values: the reader gets what is left, then ends. */
  readonly end: () => void;
  /** The reader gets what is left, then this error. */
  readonly fail: (error: unknown) => void;
  /** How many values wait. */
  readonly size: () => number;
}

/** What a queue tells its owner. */
export interface QueueEvents {
  /** The reader took a value. */
  readonly onTake?: () => void;
  /** The reader left before the end. */
  readonly onLeave?: () => void;
}

/** An empty queue. It does not bound itself: whoever pushes looks at `size` or at the reader's pace. */
export function queue<T>(events: QueueEvents = {}): Queue<T> {
  const values: T[] = [];
  let state: { readonly error?: unknown } | undefined;
  let wake: (() => void) | undefined;

  const finish = (how: { readonly error?: unknown }): void => {
    state ??= how;
    wake?.();
  };
  const next = async (): Promise<IteratorResult<T, undefined>> => {
    while (values.length === 0 && state === undefined) {
      await new Promise<void>((resolve) => (wake = resolve));
    }
    if (values.length > 0) {
      const value = values.shift() as T;
      events.onTake?.();
      return { done: false, value };
    }
    if (state !== undefined && 'error' in state) throw state.error;
    return { done: true, value: undefined };
  };
  return {
    push(value) {
      if (state !== undefined) return;
      values.push(value);
      wake?.();
    },
    end: () => finish({}),
    fail: (error) => finish({ error }),
    size: () => values.length,
    [Symbol.asyncIterator]: () => ({
      next,
      return() {
        if (state === undefined) {
          finish({});
          events.onLeave?.();
        }
        values.length = 0;
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
}
