import type { IncomingMessage } from 'node:http';
import { BodyError } from '@auditing/audit-event/body-error';
import { answerWithin } from './answer-within';
import { BodyBudget } from './body-budget';
import { bodyHeaders, type BodyHeaders } from './body-headers';
import { gunzipWithin } from './gzip';
import { LargeLane } from './large-lane';
import { readBody } from './read-body';
import { tooLarge } from './refusal';
import { arrivalOf, badBody, buryBody, takeBody, type Arrival, type Intake } from './take-body';
import { waitForRoom } from './wait-for-room';

/** How bodies are received. */
export interface ReceiveOptions {
  /** Largest body, unpacked. */
  readonly bodyMaxBytes: number;
  /** Memory for ordinary bodies in flight. */
  readonly memoryBytes: number;
  /** Folder for large bodies on their way; emptied when the lane is opened. */
  readonly largeDirectory: string;
  /** How long a sender may take to send an ordinary body. */
  readonly bodyTimeoutMs: number;
  /** Waits that tests shorten. */
  readonly waits?: Partial<typeof WAITS>;
}

/** A body costs its bytes once as received and about twice as parsed JSON. */
const MEMORY_FACTOR = 3;

/** Bodies up to this size share the memory; larger ones are rare, and go through the disk one at a time. */
const ORDINARY_MAX_BYTES = 16 * 2 ** 20;

/** JSON packs to a tenth or a twentieth; a body that unpacks to more than this goes through the disk. */
const GZIP_FACTOR = 32;
const GZIP_MIN_BYTES = 64 * 2 ** 10;

const WAITS = {
  /** For memory. Waiting beats refusing: a kube-apiserver that is refused waits 10 s before it sends again. */
  roomMs: 500,
  /** Until a body is answered, from its last byte: with the wait above within the 3 s of Kube AI Hub. */
  answerMs: 2_000,
  /** Likewise of a large body: with the wait of its lane within the 30 s of kube-apiserver. */
  largeAnswerMs: 20_000,
};

const ROOM_RETRY_AFTER_S = 1;

/** So long is an answer held back at most while much is on its way: with the waits above within the 3 s of Kube AI Hub. */
const PACE_MS = 250;

/** Takes bodies from requests: waits for room, reads, unpacks, and has them written. */
export class Receiver {
  readonly budget: BodyBudget;
  readonly #intake: Intake;
  readonly #options: ReceiveOptions;
  readonly #lane: LargeLane;
  readonly #waits: typeof WAITS;
  readonly #ordinaryMaxBytes: number;

  private constructor(intake: Intake, options: ReceiveOptions, lane: LargeLane) {
    this.#intake = intake;
    this.#options = options;
    this.#lane = lane;
    this.#waits = { ...WAITS, ...options.waits };
    this.budget = new BodyBudget(options.memoryBytes);
    // Two of the largest ordinary bodies must fit at once, or a single slow sender would hold up all others.
    const affordable = Math.floor(options.memoryBytes / MEMORY_FACTOR / 2);
    this.#ordinaryMaxBytes = Math.min(ORDINARY_MAX_BYTES, affordable, options.bodyMaxBytes);
  }

  static async open(intake: Intake, options: ReceiveOptions): Promise<Receiver> {
    const { largeDirectory: directory, bodyMaxBytes: maxBytes, bodyTimeoutMs } = options;
    const { largeAnswerMs: answerMs } = { ...WAITS, ...options.waits };
    const lane = { directory, maxBytes, bodyTimeoutMs, answerMs };
    return new Receiver(intake, options, await LargeLane.open(intake, lane));
  }

  /**
   * Takes the body of a request: resolves once every event of it is on disk.
   *
   * @throws {Refusal} which says what to answer.
   * @throws {SenderGoneError} if there is nobody to answer.
   */
  async receive(req: IncomingMessage, traceParent: string): Promise<void> {
    const headers = bodyHeaders(req.headers);
    const { length = 0, gzip } = headers;
    const { bodyMaxBytes } = this.#options;
    if (length > bodyMaxBytes) throw tooLarge(bodyMaxBytes);
    if (length > this.#ordinaryMaxBytes) return this.#lane.receive(req, { gzip, traceParent });
    const release = await waitForRoom(req, this.budget, {
      bytes: this.#memoryOf(headers),
      waitMs: this.#waits.roomMs,
      retryAfterS: ROOM_RETRY_AFTER_S,
    });
    let work: Promise<void> | undefined;
    try {
      const read = await readBody(req, {
        length: headers.length,
        maxBytes: this.#ordinaryMaxBytes,
        timeoutMs: this.#options.bodyTimeoutMs,
      });
      const body = read.whole
        ? await this.#unpack(read.bytes, headers, arrivalOf(req, traceParent))
        : undefined;
      if (!body) {
        await this.#lane.receive(req, { gzip, head: read.bytes, traceParent });
        return;
      }
      work = takeBody(this.#intake, body, arrivalOf(req, traceParent));
      await answerWithin(this.#waits.answerMs, work, this.#intake);
    } finally {
      // Work that was not done in time still holds the body.
      if (work) void work.then(release, release);
      else release();
    }
    // Not a part of the work, which is refused if it takes too long: this body is on disk, and its memory is given back.
    await this.#intake.spool.paced(PACE_MS);
  }

  /** The bytes of a body; undefined if they unpack to more than may be held in memory. */
  async #unpack(
    bytes: Buffer,
    { gzip }: BodyHeaders,
    arrival: Arrival,
  ): Promise<Buffer | undefined> {
    if (!gzip) return bytes;
    try {
      return await gunzipWithin(bytes, this.#unpackedMaxBytes(bytes.length));
    } catch (error) {
      if (!(error instanceof BodyError)) throw error;
      await buryBody(this.#intake, error, { data: bytes, ...arrival });
      throw badBody(error);
    }
  }

  #memoryOf({ length = this.#ordinaryMaxBytes, gzip }: BodyHeaders): number {
    return MEMORY_FACTOR * (gzip ? this.#unpackedMaxBytes(length) : length);
  }

  #unpackedMaxBytes(packedBytes: number): number {
    return Math.min(this.#ordinaryMaxBytes, packedBytes * GZIP_FACTOR + GZIP_MIN_BYTES);
  }
}
