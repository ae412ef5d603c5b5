import { setMaxListeners } from 'node:events';

/** How much may be under way at once. */
export interface WindowLimits<Item> {
  /** Most items at once. */
  readonly count: number;
  /** Most bytes at once; one item is always let in, whatever its size. */
  readonly bytes: number;
  readonly bytesOf: (item: Item) => number;
}

/** One item and what came of it. */
export interface Done<Item, Result> {
  readonly item: Item;
  readonly result: Result;
}

interface Slot<Item, Result> {
  readonly item: Item;
  readonly bytes: number;
  readonly outcome: Promise<Result>;
  settled: boolean;
}

/** What a window works on. */
export interface WindowWork<Item, Result> {
  readonly items: (signal: AbortSignal) => AsyncIterable<Item>;
  readonly run: (item: Item, signal: AbortSignal) => Promise<Result>;
  readonly limits: WindowLimits<Item>;
}

/**
 * Runs several items at once and gives their results in the order of the items: at each step all those that are
 * ready by then. A place in the window is free again once the results have been taken and the next step is asked for.
 *
 * Ends, without error, when `signal` aborts; throws what `items` or `run` throw.
 */
export async function* orderedWindow<Item, Result>(
  work: WindowWork<Item, Result>,
  signal: AbortSignal,
): AsyncGenerator<readonly Done<Item, Result>[]> {
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  // Every item under way listens to it.
  setMaxListeners(0, either);
  const window = new Window(work, either);
  const filled = window.fill();
  try {
    for (;;) {
      const ready = await window.ready();
      if (ready.length === 0) return;
      yield ready;
      window.release(ready.length);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    ended.abort();
    await window.emptied(filled);
  }
}

class Window<Item, Result> {
  private slots: readonly Slot<Item, Result>[] = [];
  private bytes = 0;
  private full = false;
  private failure: { readonly error: unknown } | undefined;
  private wake: () => void = () => undefined;
  private changed = this.nextChange();

  constructor(
    private readonly work: WindowWork<Item, Result>,
    private readonly signal: AbortSignal,
  ) {
    signal.addEventListener('abort', () => this.change(), { once: true });
  }

  /** Takes items in as long as there is room. Never rejects: `ready` says what went wrong. */
  async fill(): Promise<void> {
    try {
      for await (const item of this.work.items(this.signal)) {
        const bytes = this.work.limits.bytesOf(item);
        while (!this.hasRoomFor(bytes) && !this.signal.aborted) await this.changed;
        if (this.signal.aborted) break;
        this.start(item, bytes);
      }
    } catch (error) {
      this.failure = { error };
    }
    this.full = true;
    this.change();
  }

  /** The results at the head; none at the end. Waits for the first. */
  async ready(): Promise<readonly Done<Item, Result>[]> {
    while (this.slots.length === 0 && !this.full) await this.changed;
    const done: Done<Item, Result>[] = [];
    // Looked up each time: while one is awaited, others may begin.
    for (let slot = this.slots[0]; slot; slot = this.slots[done.length]) {
      if (done.length > 0 && !slot.settled) break;
      done.push({ item: slot.item, result: await slot.outcome });
    }
    if (done.length === 0 && this.failure) throw this.failure.error;
    return done;
  }

  /** Frees the places at the head. */
  release(count: number): void {
    for (const slot of this.slots.slice(0, count)) this.bytes -= slot.bytes;
    this.slots = this.slots.slice(count);
    this.change();
  }

  /** Waits until nothing is under way any more. */
  async emptied(filled: Promise<void>): Promise<void> {
    await filled;
    await Promise.allSettled(this.slots.map((slot) => slot.outcome));
  }

  private hasRoomFor(bytes: number): boolean {
    const { limits } = this.work;
    if (this.slots.length === 0) return true;
    return this.slots.length < limits.count && this.bytes + bytes <= limits.bytes;
  }

  private start(item: Item, bytes: number): void {
    const outcome = this.work.run(item, this.signal);
    const slot: Slot<Item, Result> = { item, bytes, outcome, settled: false };
    // A failure is met in `ready`; here it must only not count as unhandled.
    outcome.then(
      () => (slot.settled = true),
      () => (slot.settled = false),
    );
    // A new array each time, here and in `release`: one that is shifted and filled for ever grows old in the collector's eyes,
    // and what was under way whenever it moved on is held by what it leaves behind.
    this.slots = [...this.slots, slot];
    this.bytes += bytes;
    this.change();
  }

  private nextChange(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }

  private change(): void {
    const { wake } = this;
    this.changed = this.nextChange();
    wake();
  }
}
