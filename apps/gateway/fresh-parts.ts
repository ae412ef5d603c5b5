import type { SpoolPart } from './spool';

/**
 * What a fresh part costs in memory, as a multiple of its events' bytes: the events as they lie in their body, and
 * as parsed JSON, which takes two to three times as much.
 */
const MEMORY_FACTOR = 4;

/**
 * Parts that were put lately, with their decoded events, by position: whoever keeps up with the spool reads
 * nothing back from disk and parses nothing twice. Bounded; the oldest are dropped, which costs only time.
 */
export class FreshParts {
  /** In order of position. */
  readonly #parts = new Map<number, { readonly part: SpoolPart; readonly bytes: number }>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  at(position: number): SpoolPart | undefined {
    return this.#parts.get(position)?.part;
  }

  add(part: SpoolPart, rawBytes: number): void {
    const bytes = rawBytes * MEMORY_FACTOR;
    this.#parts.set(part.position, { part, bytes });
    this.#bytes += bytes;
    for (const position of this.#parts.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#drop(position);
    }
  }

  dropBefore(end: number): void {
    for (const position of this.#parts.keys()) {
      if (position >= end) return;
      this.#drop(position);
    }
  }

  #drop(position: number): void {
    this.#bytes -= this.#parts.get(position)?.bytes ?? 0;
    this.#parts.delete(position);
  }
}
