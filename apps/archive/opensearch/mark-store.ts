import { BatchMarks, type EventRange } from '@auditing/audit-event/batch-marks';
import type { BatchId } from '@auditing/proto/event';
import type { Logger } from 'pino';

import { AnswerError, type OpenSearch } from './connect';

/** Epochs kept in memory; of others what is stored is read again. */
const EPOCHS_MAX = 64;

/** Marks of an epoch that nobody has used for so long are removed: its gateway is gone. */
const EXPIRE_AFTER_MS = 90 * 86_400_000;
const EXPIRED_AT_ONCE = 500;

/** How often another replica's change of the same marks is taken in before the writing waits for the next batch. */
const CONFLICTS_MAX = 5;

/** What the store works with. */
export interface MarkStoreOptions {
  readonly opensearch: Pick<OpenSearch, 'request'>;
  /** Index of the marks, which no pattern of events matches. */
  readonly index: string;
  readonly log: Logger;
}

interface Marked {
  readonly id: BatchId;
  readonly settledBelow: bigint;
}

/** The marks of one epoch. */
interface Epoch {
  readonly name: string;
  marks: BatchMarks;
  /** Version of what is stored; undefined if nothing is. */
  version: Version | undefined;
  /** What is not stored yet. */
  pending: Marked[];
}

interface Version {
  readonly if_seq_no: number;
  readonly if_primary_term: number;
}

interface StoredMarks {
  readonly _seq_no: number;
  readonly _primary_term: number;
  readonly _source: { readonly Marks: string };
}

/**
 * Which batches were taken, one document an epoch. They spare work: that nothing is stored twice is the ids' doing. So
 * they are written behind the events, and one that is lost costs a second look at its batch.
 */
export class MarkStore {
  readonly #options: MarkStoreOptions;
  /** The least recently used first. */
  readonly #epochs = new Map<string, Promise<Epoch>>();
  readonly #closing = new AbortController();
  #writing: Promise<void> | undefined;

  constructor(options: MarkStoreOptions) {
    this.#options = options;
  }

  /** The events of this batch's part that were taken. Rejects as requests do. */
  async taken(id: BatchId): Promise<readonly EventRange[]> {
    return (await this.#epoch(id.epoch)).marks.taken(id);
  }

  /** Remembers a batch as taken, and begins to write it down. */
  async mark(id: BatchId, settledBelow: bigint): Promise<void> {
    const epoch = await this.#epoch(id.epoch);
    epoch.marks.mark(id);
    epoch.marks.settle(id.epoch, settledBelow);
    epoch.pending.push({ id, settledBelow });
    this.#write();
  }

  /** Waits until what is marked is stored, as far as OpenSearch takes it. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  /** Writes what could not be written, and removes the marks of gateways that are gone. */
  async maintain(nowMs: number): Promise<void> {
    this.#write();
    await this.idle();
    const { opensearch, index } = this.#options;
    const { hits } = await opensearch.request<{ hits: { hits: { _id: string }[] } }>(
      {
        method: 'POST',
        path: `/${index}/_search`,
        parameters: { ignore_unavailable: true },
        body: {
          size: EXPIRED_AT_ONCE,
          _source: false,
          query: { range: { UpdatedAtMs: { lt: nowMs - EXPIRE_AFTER_MS } } },
        },
      },
      this.#closing.signal,
    );
    if (hits.hits.length === 0) return;
    const lines = hits.hits.map(({ _id }) => `${JSON.stringify({ delete: { _id } })}\n`).join('');
    await opensearch.request(
      { method: 'POST', path: `/${index}/_bulk`, lines },
      this.#closing.signal,
    );
  }

  /** Writes what is not stored yet, and ends. */
  async close(): Promise<void> {
    await this.idle();
    this.#closing.abort();
  }

  #epoch(name: string): Promise<Epoch> {
    const loading = this.#epochs.get(name) ?? this.#load(name);
    this.#epochs.delete(name);
    this.#epochs.set(name, loading);
    loading.catch(() => this.#epochs.delete(name));
    void this.#forgetSurplus();
    return loading;
  }

  async #forgetSurplus(): Promise<void> {
    for (const [name, loading] of this.#epochs) {
      if (this.#epochs.size <= EPOCHS_MAX) return;
      const epoch = await loading.catch(() => undefined);
      if (epoch === undefined || epoch.pending.length === 0) this.#epochs.delete(name);
    }
  }

  async #load(name: string): Promise<Epoch> {
    const stored = await this.#stored(name);
    return { name, ...stored, pending: [] };
  }

  async #stored(name: string): Promise<Pick<Epoch, 'marks' | 'version'>> {
    const { opensearch, index } = this.#options;
    try {
      const { _seq_no, _primary_term, _source } = await opensearch.request<StoredMarks>(
        { method: 'GET', path: `/${index}/_doc/${name}` },
        this.#closing.signal,
      );
      return {
        marks: BatchMarks.restore(Buffer.from(_source.Marks)),
        version: { if_seq_no: _seq_no, if_primary_term: _primary_term },
      };
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return { marks: new BatchMarks(), version: undefined };
    }
  }

  /** One writing at a time: what is marked meanwhile goes with the next one. */
  #write(): void {
    this.#writing ??= this.#writeAll().finally(() => (this.#writing = undefined));
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      const epochs = await Promise.all(
        [...this.#epochs.values()].map((loading) => loading.catch(() => undefined)),
      );
      const changed = epochs.find((epoch) => epoch !== undefined && epoch.pending.length > 0);
      if (changed === undefined) return;
      try {
        await this.#writeEpoch(changed);
      } catch (err) {
        // They are tried again with the next batch.
        this.#options.log.warn({ err }, 'batch marks could not be stored');
        return;
      }
    }
  }

  async #writeEpoch(epoch: Epoch): Promise<void> {
    for (let conflicts = 0; ; conflicts += 1) {
      const written = epoch.pending.length;
      try {
        epoch.version = await this.#put(epoch);
        epoch.pending = epoch.pending.slice(written);
        return;
      } catch (error) {
        const isConflict = error instanceof AnswerError && error.statusCode === 409;
        if (!isConflict || conflicts === CONFLICTS_MAX) throw error;
        Object.assign(epoch, await this.#stored(epoch.name));
        for (const { id, settledBelow } of epoch.pending) {
          epoch.marks.mark(id);
          epoch.marks.settle(id.epoch, settledBelow);
        }
      }
    }
  }

  async #put({ name, marks, version }: Epoch): Promise<Version> {
    const { opensearch, index } = this.#options;
    const { _seq_no, _primary_term } = await opensearch.request<StoredMarks>(
      {
        method: 'PUT',
        path: `/${index}/_doc/${name}`,
        parameters: version ? { ...version } : { op_type: 'create' },
        body: { Marks: marks.snapshot().toString(), UpdatedAtMs: Date.now() },
      },
      this.#closing.signal,
    );
    return { if_seq_no: _seq_no, if_primary_term: _primary_term };
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof AnswerError && error.statusCode === 404;
}
