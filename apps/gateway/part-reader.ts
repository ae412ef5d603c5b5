import { JournalCorruptError } from '@auditing/journal/journal-error';
import type { Logger } from 'pino';
import type { PipelineMetrics } from './pipeline-metrics';
import type { Spool, SpoolPart } from './spool';

/** What reading parts needs. */
export interface PartReaderOptions {
  readonly spool: Pick<Spool, 'parts' | 'start' | 'end'>;
  readonly log: Logger;
  readonly metrics: PipelineMetrics;
}

/**
 * All parts from a position on, in order. A damaged record is passed over: what lay in it cannot be had back, which
 * is logged and counted, and is no reason to hold up all that came after it.
 */
export async function* readableParts(
  { spool, log, metrics }: PartReaderOptions,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<SpoolPart, void> {
  let position = from;
  while (!signal.aborted) {
    try {
      for await (const part of spool.parts(position, signal)) {
        yield part;
        position = part.next;
      }
      return;
    } catch (error) {
      if (!(error instanceof JournalCorruptError)) throw error;
      log.error({ err: error, next: error.next }, 'a record of the spool is damaged and lost');
      metrics.lostParts.inc();
      position = error.next;
    }
  }
}

/** Reads single parts, at rising positions: cheap where one follows the other. */
export class PartReader {
  #parts: AsyncGenerator<SpoolPart, void> | undefined;
  #next = -1;

  constructor(
    readonly options: PartReaderOptions,
    readonly signal: AbortSignal,
  ) {}

  /** The part at a position; undefined if there is none (any more). */
  async at(position: number): Promise<SpoolPart | undefined> {
    const { spool } = this.options;
    if (position < spool.start || position >= spool.end) return undefined;
    if (!this.#parts || position !== this.#next) {
      await this.close();
      this.#parts = readableParts(this.options, position, this.signal);
    }
    const { value: part } = await this.#parts.next();
    if (!part) return undefined;
    this.#next = part.next;
    return part.position === position ? part : undefined;
  }

  async close(): Promise<void> {
    await this.#parts?.return();
    this.#parts = undefined;
  }
}
