import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import { BodyError } from '@auditing/audit-event/body-error';
import { decodeBody, type DecodedBody } from '@auditing/audit-event/decode-body';
import { Source } from '@auditing/proto/event';
import { ended, type Tracing } from '@auditing/service/tracing';
import type { DeadLetters, NewDeadLetter } from './dead-letters';
import type { ReceiveMetrics } from './metrics';
import type { RecentBodies } from './recent-bodies';
import { Refusal } from './refusal';
import { SpoolFailedError, SpoolFullError, type BodyMeta, type Spool } from './spool';

/** Where bodies go. */
export interface Intake {
  readonly spool: Spool;
  readonly deadLetters: DeadLetters;
  readonly recent: RecentBodies;
  readonly metrics: ReceiveMetrics;
  readonly tracing: Tracing;
  readonly log: Logger;
}

/** How a body came. */
export interface Arrival {
  /** When the gateway had the whole of it, in microseconds since 1970 (UTC). */
  readonly receivedAtUs: number;
  /** Address of the sender. */
  readonly peer: string;
  /** W3C traceparent of its POST; empty if that is not traced. */
  readonly traceParent: string;
}

/** The arrival of a body that has just been read. */
export function arrivalOf(req: IncomingMessage, traceParent: string): Arrival {
  return { receivedAtUs: Date.now() * 1_000, peer: req.socket.remoteAddress ?? '', traceParent };
}

/** The only answer to a full disk is time: somebody must drain or make room. */
const FULL_RETRY_AFTER_S = 5;
/** A disk that failed once is tried again, on a new segment, at once. */
const FAILED_RETRY_AFTER_S = 1;

/**
 * Takes a body: resolves once every event of it is on disk. A copy of one that is under way or taken does no work.
 *
 * @throws {Refusal} 400 if no event can be read from it (it is a dead letter then), 503 if the disk is full or fails.
 */
export async function takeBody(intake: Intake, body: Buffer, arrival: Arrival): Promise<void> {
  const hash = createHash('sha256').update(body).digest();
  await once(intake, hash, async (eventsBefore) => {
    const decoded = await decodeOrBury(intake, body, { arrival, hash });
    await keepBadItems(intake, decoded, arrival);
    const rest = { ...decoded, events: decoded.events.slice(eventsBefore) };
    await putEvents(intake, rest, {
      receivedAtUs: arrival.receivedAtUs,
      traceParent: arrival.traceParent,
      bodyHash: hash,
      eventsBefore,
    });
  });
  intake.metrics.bodyBytes.inc(body.length);
}

/** Runs `take` unless the body was taken already; counts those that were. */
export async function once(
  { recent, metrics }: Intake,
  hash: Buffer,
  take: (eventsBefore: number) => Promise<void>,
): Promise<void> {
  if (await recent.once(hash, take)) metrics.resentBodies.inc();
}

async function decodeOrBury(
  intake: Intake,
  body: Buffer,
  { arrival, hash }: { arrival: Arrival; hash: Buffer },
): Promise<DecodedBody> {
  try {
    return await decodeBody(body);
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    await buryBody(intake, error, { data: body, whole: { hash, bytes: body.length }, ...arrival });
    throw badBody(error);
  }
}

/** The answer to a body from which no event can be read. */
export function badBody(error: BodyError): Refusal {
  return new Refusal(400, error.message, { at: error.at, cause: error });
}

/**
 * Keeps a body from which no event can be read. The sender gets the same answer if that fails: the body is as bad
 * on a full disk.
 */
export async function buryBody(
  intake: Intake,
  { message, at }: BodyError,
  letter: Omit<NewDeadLetter, 'kind' | 'reason'>,
): Promise<void> {
  try {
    await bury(intake, { ...letter, kind: 'body', reason: `${at}: ${message}` });
  } catch (error) {
    intake.log.error({ err: error }, 'a bad body could not be kept as a dead letter');
  }
}

/**
 * Keeps the items of a list that are no events, as one letter with an item a line: they are answered with 200, so
 * they must be on disk before.
 */
export async function keepBadItems(
  intake: Intake,
  { badItems }: Pick<DecodedBody, 'badItems'>,
  arrival: Arrival,
): Promise<void> {
  const [first] = badItems;
  if (!first) return;
  const others =
    badItems.length === 1 ? '' : ` (and ${badItems.length - 1} more items of this body)`;
  const newLine = Buffer.from('\n');
  const lines = badItems.flatMap(({ bytes }, index) => (index === 0 ? [bytes] : [newLine, bytes]));
  await keepItems(intake, {
    ...arrival,
    reason: `${first.at}: ${first.reason}${others}`,
    data: Buffer.concat(lines),
  });
}

/** @throws {Refusal} 503 if the dead letter cannot be written. */
export async function keepItems(
  intake: Intake,
  letter: Omit<NewDeadLetter, 'kind'>,
): Promise<void> {
  try {
    await bury(intake, { ...letter, kind: 'item' });
  } catch (cause) {
    throw new Refusal(
      503,
      'bad items could not be kept as a dead letter; see the log of the gateway',
      {
        retryAfterS: FAILED_RETRY_AFTER_S,
        cause,
      },
    );
  }
}

async function bury({ deadLetters, metrics }: Intake, letter: NewDeadLetter): Promise<void> {
  if (await deadLetters.add(letter)) metrics.deadLetters.inc({ kind: letter.kind });
}

/** Puts events into the spool, and remembers that they are there. */
export async function putEvents(
  { spool, recent, metrics, tracing }: Intake,
  body: Pick<DecodedBody, 'events' | 'listSource'>,
  meta: BodyMeta,
): Promise<void> {
  try {
    await ended(tracing.step('spool', meta.traceParent ?? ''), spool.put(body, meta));
  } catch (error) {
    throw refusalOf(error);
  }
  const { bodyHash, eventsBefore = 0, bodyEnd = true } = meta;
  recent.remember(bodyHash, { eventCount: eventsBefore + body.events.length, whole: bodyEnd });
  const kubeAiHub = body.events.filter(({ source }) => source === Source.KUBE_AI_HUB).length;
  metrics.eventsReceived.inc({ source: 'kube-ai-hub' }, kubeAiHub);
  metrics.eventsReceived.inc({ source: 'kubernetes' }, body.events.length - kubeAiHub);
}

function refusalOf(error: unknown): unknown {
  if (error instanceof SpoolFullError) {
    return new Refusal(
      503,
      'no room: what was received before waits to be archived; free the disk or let it drain',
      {
        retryAfterS: FULL_RETRY_AFTER_S,
        cause: error,
      },
    );
  }
  if (error instanceof SpoolFailedError) {
    return new Refusal(503, 'the disk of the gateway failed; see its log', {
      retryAfterS: FAILED_RETRY_AFTER_S,
      cause: error,
    });
  }
  return error;
}
