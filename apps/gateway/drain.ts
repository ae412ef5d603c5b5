import { batchName } from '@auditing/audit-event/batch-name';
import type { Cursor } from '@auditing/journal/cursor';
import type { BatchId } from '@auditing/proto/event';
import { DrainCursor, type Decision } from '@auditing/proto/spool';
import { ended, type Tracing } from '@auditing/service/tracing';
import { wait } from '@auditing/service/wait';
import type { Guard } from './attempts';
import { readEvents, type Burial } from './burial';
import type { DecisionRecord, Decisions } from './decisions';
import type { DecidedPart } from './kept-batch';
import { orderedWindow, type WindowLimits } from './ordered-window';
import { partSpan } from './part-span';
import { PartReader, type PartReaderOptions } from './part-reader';
import type { SpoolPart } from './spool';

/**
 * A cursor is saved no more often, which takes two syncs of the disk that what is received waits for too: what a replay from an
 * older one sends again is answered as duplicate.
 */
const SAVE_EVERY_MS = 250;

/** Who is brought what was decided. */
export interface Consumer {
  readonly name: 'archive' | 'alert';
  readonly limits: Pick<WindowLimits<unknown>, 'count' | 'bytes'>;
  /** False for a decision in which there is nothing for this consumer. */
  readonly wants: (decision: Decision) => boolean;
  /** Resolves when all of the part is durable where it belongs. */
  readonly deliver: (delivery: Delivery, signal: AbortSignal) => Promise<void>;
}

/** One part on its way to a consumer. */
export interface Delivery {
  readonly decided: DecidedPart;
  /** Sequences of the part's epoch below this one will never be sent again. */
  readonly settledBelow: bigint;
  /** W3C traceparent of the delivery; empty if it is not traced. */
  readonly traceParent: string;
}

/** What a consumer reads, and where it notes how far it is. */
export interface DrainOptions extends PartReaderOptions {
  readonly decisions: Decisions;
  readonly burial: Burial;
  readonly guard: Guard;
  readonly tracing: Tracing;
  readonly cursor: Cursor;
  /** Called when there is progress, which is not on disk yet. */
  readonly onPassed: () => void;
  /** Called when progress is on disk. */
  readonly onSaved: () => Promise<void>;
}

/** A decision, with its part if there is something to deliver. */
interface Step {
  readonly record: DecisionRecord;
  readonly part: SpoolPart | undefined;
}

/**
 * Brings decided parts to one consumer, with a durable cursor of its own: reads decisions and parts in step and never
 * decides anything.
 */
export class Drain {
  readonly #consumer: Consumer;
  readonly #options: DrainOptions;
  /** Where it has got to, and what of that is on disk. */
  #progress: DrainCursor;
  #saved: DrainCursor;
  /** The batch before which everything is settled, once `#progress` is on disk, and as it is on disk now. */
  #last: BatchId | undefined;
  #settled: BatchId | undefined;
  /** When they came, by their positions: not the parts themselves, which a Map's old tables would hold on to. */
  readonly #underWay = new Map<number, number>();
  #saving: Promise<void> | undefined;

  constructor(consumer: Consumer, options: DrainOptions) {
    this.#consumer = consumer;
    this.#options = options;
    this.#progress = startOf(options);
    this.#saved = this.#progress;
  }

  /** Its progress. */
  get progress(): DrainCursor {
    return this.#progress;
  }

  /** Its progress, as it is on disk. */
  get saved(): DrainCursor {
    return this.#saved;
  }

  /** When the oldest part that it is working on came, in microseconds since 1970; undefined if there is none. */
  get oldestUs(): number | undefined {
    const [oldest] = this.#underWay.values();
    return oldest;
  }

  /** Works until the signal aborts; ends at the end of a part, with the cursor saved. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    try {
      const steps = orderedWindow(
        {
          items: (until) => this.#steps(until),
          run: (step: Step, until) => this.#deliver(step, until),
          limits: {
            ...this.#consumer.limits,
            bytesOf: ({ part }) => part?.batch.block?.rawBytes ?? 0,
          },
        },
        signal,
      );
      for await (const done of steps) {
        for (const { item } of done) this.#passed(item);
        this.#options.onPassed();
        this.#saving ??= this.#saveSoon(ended.signal);
      }
    } finally {
      ended.abort();
      await this.#saving;
      await this.#save();
    }
  }

  async *#steps(signal: AbortSignal): AsyncGenerator<Step, void> {
    const { decisions } = this.#options;
    const parts = new PartReader(this.#options, signal);
    try {
      for await (const record of decisions.follow(Number(this.#progress.nextDecision), signal)) {
        const { decision } = record;
        const part = this.#consumer.wants(decision)
          ? await this.#partOf(decision, parts)
          : undefined;
        yield { record, part };
      }
    } finally {
      await parts.close();
    }
  }

  /** Undefined if the spool does not hold the part: then somebody took it away, or the disk lost it. */
  async #partOf(decision: Decision, parts: PartReader): Promise<SpoolPart | undefined> {
    const part = await parts.at(Number(decision.spoolPosition));
    if (part && isSame(part.batch.id, decision.id)) return part;
    const { log, metrics } = this.#options;
    const { name } = this.#consumer;
    log.error(
      { consumer: name, batch: batchName(decision.id) },
      'a decided part is not in the spool: its events are lost',
    );
    metrics.lostParts.inc();
    return undefined;
  }

  async #deliver({ part, record }: Step, signal: AbortSignal): Promise<void> {
    if (!part) return;
    const { metrics, tracing } = this.#options;
    const { name, deliver } = this.#consumer;
    const { verdicts } = record.decision;
    if (!verdicts) throw new Error(`the decision at ${record.position} holds no verdicts`);
    this.#underWay.set(part.position, part.batch.receivedAtUs);
    metrics.inFlight.inc({ stage: name });
    try {
      const events = await readEvents(part, this.#options);
      if (!events) return;
      const { id } = part.batch;
      const settledBelow =
        this.#settled?.epoch === id?.epoch ? (this.#settled?.sequence ?? 0n) : 0n;
      const span = partSpan(tracing, name, part);
      const { traceParent } = span;
      const decided = { part, events, verdicts };
      await ended(span, deliver({ decided, settledBelow, traceParent }, signal));
    } finally {
      metrics.inFlight.dec({ stage: name });
      this.#underWay.delete(part.position);
    }
  }

  #passed({ record }: Step): void {
    this.#last = record.decision.id;
    this.#progress = {
      nextDecision: BigInt(record.next),
      lastDecision: BigInt(record.position),
      spoolPosition: record.decision.spoolNext,
    };
  }

  /** Runs only while there is progress to save: nothing wakes up an idle process. */
  async #saveSoon(signal: AbortSignal): Promise<void> {
    do {
      await wait(SAVE_EVERY_MS, signal).catch(() => undefined);
      await this.#save();
    } while (this.#progress !== this.#saved && !signal.aborted);
    this.#saving = undefined;
  }

  /** A cursor that cannot be saved costs a replay, no event: it is tried again with the next one. */
  async #save(): Promise<void> {
    const progress = this.#progress;
    const last = this.#last;
    if (progress === this.#saved) return;
    try {
      await this.#options.cursor.save(DrainCursor.encode(progress).finish());
      this.#saved = progress;
      this.#settled = last;
      await this.#options.onSaved();
    } catch (error) {
      const { name } = this.#consumer;
      this.#options.log.error({ err: error, consumer: name }, 'a cursor cannot be saved');
    }
  }
}

/** Where the last run left off; from the oldest decision on if it left nothing that fits what is there. */
function startOf({ cursor, decisions, log }: DrainOptions): DrainCursor {
  const oldest = BigInt(decisions.start);
  const start = { nextDecision: oldest, lastDecision: oldest, spoolPosition: 0n };
  if (!cursor.value) return start;
  const saved = DrainCursor.decode(cursor.value);
  if (saved.nextDecision >= oldest && saved.nextDecision <= BigInt(decisions.end)) return saved;
  log.error(
    { saved: Number(saved.nextDecision), start: decisions.start, end: decisions.end },
    'a cursor does not fit the decisions: all that are there are gone through again',
  );
  return start;
}

function isSame(one: BatchId | undefined, other: BatchId | undefined): boolean {
  return (
    one?.epoch === other?.epoch && one?.sequence === other?.sequence && one?.part === other?.part
  );
}
