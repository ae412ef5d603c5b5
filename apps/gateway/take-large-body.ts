import { BodyError } from '@auditing/audit-event/body-error';
import { decodeBody, type DecodedBody } from '@auditing/audit-event/decode-body';
import { Source } from '@auditing/proto/event';
import { chunksOfLargeBody, type BodyChunk } from './large-body-chunks';
import type { LargeBodyFile } from './large-body-file';
import {
  badBody,
  buryBody,
  keepBadItems,
  keepItems,
  once,
  putEvents,
  type Arrival,
  type Intake,
} from './take-body';

/**
 * Largest event that is taken. The largest that kube-apiserver was seen to send has 19 MB, from a request of 3 MB;
 * whoever drains the spool must hold it in memory several times.
 */
const EVENT_MAX_BYTES = 64 * 2 ** 20;

/** As takeBody, for a body in a file: memory holds one run of its items at a time. */
export async function takeLargeBody(
  intake: Intake,
  file: LargeBodyFile,
  arrival: Arrival,
): Promise<void> {
  const bodyHash = file.hash();
  await once(intake, bodyHash, async (takenCount) => {
    const chunks = await chunksOrBury(intake, file, arrival);
    const body = { file, bodyHash, arrival, listSource: Source.UNSPECIFIED };
    let eventCount = 0;
    for (const [index, chunk] of chunks.entries()) {
      const decoded = await decodeChunk(intake, body, chunk);
      if (body.listSource === Source.UNSPECIFIED) body.listSource = decoded.listSource;
      const missing = decoded.events.slice(Math.max(0, takenCount - eventCount));
      eventCount += decoded.events.length;
      await putEvents(
        intake,
        { events: missing, listSource: body.listSource },
        {
          receivedAtUs: arrival.receivedAtUs,
          traceParent: arrival.traceParent,
          bodyHash,
          eventsBefore: eventCount - missing.length,
          bodyEnd: index === chunks.length - 1,
        },
      );
    }
    if (chunks.length > 0 && eventCount === 0) throw badBody(NOTHING);
  });
  intake.metrics.bodyBytes.inc(file.size);
}

interface LargeBody {
  readonly file: LargeBodyFile;
  readonly arrival: Arrival;
  /** Of the first list or event; UNSPECIFIED before that. */
  readonly listSource: Source;
}

const NOTHING = new BodyError('none of the items is an event; they are kept as dead letters', '$');

async function chunksOrBury(
  intake: Intake,
  file: LargeBodyFile,
  arrival: Arrival,
): Promise<BodyChunk[]> {
  try {
    return await chunksOfLargeBody(file);
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    const letter = await file.letter(intake.deadLetters.maxDataBytes);
    await buryBody(intake, error, { ...letter, ...arrival });
    throw badBody(error);
  }
}

/** The events of a run of items. Those that are none are kept as dead letters before it resolves. */
async function decodeChunk(
  intake: Intake,
  { file, arrival, listSource }: LargeBody,
  chunk: BodyChunk,
): Promise<Pick<DecodedBody, 'events' | 'listSource'>> {
  const { start, end } = chunk;
  if (chunk.itemCount === 1 && end - start > EVENT_MAX_BYTES) {
    const reason = `expected an event of at most ${EVENT_MAX_BYTES} bytes, got ${end - start}`;
    const letter = await file.letter(intake.deadLetters.maxDataBytes, chunk);
    await keepItems(intake, { ...letter, ...arrival, reason: `byte ${start}: ${reason}` });
    return { events: [], listSource };
  }
  const bytes = await file.read(start, end);
  try {
    const decoded = await decodeBody(wrapped(chunk, bytes, listSource));
    const badItems = decoded.badItems.map((item) => ({ ...item, at: `byte ${start}: ${item.at}` }));
    await keepBadItems(intake, { badItems }, arrival);
    return decoded;
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    const badItem = { at: `byte ${start}: ${error.at}`, reason: error.message, bytes };
    await keepBadItems(intake, { badItems: [badItem] }, arrival);
    return { events: [], listSource };
  }
}

/** A run of items as a body of its own, in the form that they came in. */
function wrapped({ list, listKey }: BodyChunk, items: Buffer, listSource: Source): Buffer {
  if (!list) return items;
  // Later items of a bare array take the side of the first, as they do in an ordinary body.
  const key =
    listKey ||
    { [Source.KUBERNETES]: 'items', [Source.KUBE_AI_HUB]: 'Items' }[listSource as number];
  if (!key) return Buffer.concat([Buffer.from('['), items, Buffer.from(']')]);
  return Buffer.concat([Buffer.from(`{${JSON.stringify(key)}:[`), items, Buffer.from(']}')]);
}
