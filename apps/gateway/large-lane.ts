import { mkdir, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { BodyError } from '@auditing/audit-event/body-error';
import { answerWithin } from './answer-within';
import { BodyBudget } from './body-budget';
import { LargeBodyFile } from './large-body-file';
import { chunksOf } from './read-body';
import { badBody, arrivalOf, buryBody, type Intake } from './take-body';
import { takeLargeBody } from './take-large-body';
import { waitForRoom } from './wait-for-room';

/** How large bodies are received. */
export interface LargeLaneOptions {
  /** Folder of their files. Nothing in it outlives the process: what matters is in the spool. */
  readonly directory: string;
  /** Largest body, unpacked. */
  readonly maxBytes: number;
  /** How long an ordinary body may take to arrive. */
  readonly bodyTimeoutMs: number;
  /** Until a large body is answered, from its last byte. */
  readonly answerMs: number;
}

/** A body on its way into the lane. */
export interface LargeBodyWire {
  readonly gzip: boolean;
  /** Bytes that were read already. */
  readonly head?: Buffer;
  /** W3C traceparent of its POST; empty if that is not traced. */
  readonly traceParent: string;
}

/** A large body may take this many times as long to arrive. */
const TIMEOUT_FACTOR = 10;
/** Long enough for the body before it in most cases; the sender repeats it, so that it is admitted in the end. */
const ENTER_WAIT_MS = 5_000;
const ENTER_RETRY_AFTER_S = 5;

/**
 * The way of bodies that are too large for memory: one at a time to a file, unpacked and hashed on the way, and from
 * there part by part into the spool.
 */
export class LargeLane {
  readonly #intake: Intake;
  readonly #options: LargeLaneOptions;
  /** Room for one. */
  readonly #lane = new BodyBudget(1);

  private constructor(intake: Intake, options: LargeLaneOptions) {
    this.#intake = intake;
    this.#options = options;
  }

  static async open(intake: Intake, options: LargeLaneOptions): Promise<LargeLane> {
    await rm(options.directory, { recursive: true, force: true });
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    return new LargeLane(intake, options);
  }

  /** As Receiver.receive. */
  async receive(req: IncomingMessage, wire: LargeBodyWire): Promise<void> {
    const leave = await waitForRoom(req, this.#lane, {
      bytes: 1,
      waitMs: ENTER_WAIT_MS,
      retryAfterS: ENTER_RETRY_AFTER_S,
    });
    const file = await LargeBodyFile.create(this.#options.directory);
    let work: Promise<void> | undefined;
    const done = (): Promise<void> => file.remove().finally(leave);
    try {
      await this.#write(file, req, wire);
      work = takeLargeBody(this.#intake, file, arrivalOf(req, wire.traceParent));
      await answerWithin(this.#options.answerMs, work, this.#intake);
    } finally {
      // Work that was not done in time still reads the file.
      if (work) void work.then(done, done);
      else await done();
    }
  }

  async #write(file: LargeBodyFile, req: IncomingMessage, wire: LargeBodyWire): Promise<void> {
    const { maxBytes, bodyTimeoutMs } = this.#options;
    try {
      const chunks = chunksFrom(wire.head, req, bodyTimeoutMs * TIMEOUT_FACTOR);
      await file.write(chunks, { maxBytes, gzip: wire.gzip });
    } catch (error) {
      if (!(error instanceof BodyError)) throw error;
      await buryBody(this.#intake, error, {
        ...(await file.letter(this.#intake.deadLetters.maxDataBytes)),
        ...arrivalOf(req, wire.traceParent),
      });
      throw badBody(error);
    }
  }
}

async function* chunksFrom(
  head: Buffer | undefined,
  req: IncomingMessage,
  timeoutMs: number,
): AsyncGenerator<Buffer, void> {
  if (head) yield head;
  yield* chunksOf(req, timeoutMs);
}
