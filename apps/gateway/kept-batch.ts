import { compressBlock } from '@auditing/audit-event/block';
import { ARCHIVE_FIELDS, buildColumns } from '@auditing/audit-event/columns';
import { rememberDecoded } from '@auditing/audit-event/decoded-batch';
import type { DecodedEvent } from '@auditing/audit-event/decoded-event';
import { eventKeys } from '@auditing/audit-event/event-key';
import type { KeptBatch } from '@auditing/proto/archive';
import type { Block, Verdict, Verdicts } from '@auditing/proto/event';
import type { EventRange } from './bisect';
import type { SpoolPart } from './spool';

/** A part whose events have been read and decided. */
export interface DecidedPart {
  readonly part: SpoolPart;
  /** Its events as received. */
  readonly events: readonly DecodedEvent[];
  readonly verdicts: Verdicts;
}

/** One event that is kept. */
export interface KeptEvent {
  readonly verdict: Verdict;
  readonly received: DecodedEvent;
  /** As it is archived: stripped, with its workspace filled in. */
  readonly event: DecodedEvent;
}

/** The verdicts on events of a range, in order. */
export function verdictsIn({ verdicts }: DecidedPart, range: EventRange): Verdict[] {
  const end = range.first + range.count;
  return verdicts.verdicts.filter(({ event }) => event >= range.first && event < end);
}

/** The event that a verdict speaks of. */
export function keptEvent(decided: DecidedPart, verdict: Verdict): KeptEvent {
  const received = decided.events[verdict.event];
  if (!received) throw new Error(`a decision speaks of event ${verdict.event} that is not there`);
  const event = received.stripped(verdict.strip);
  if (verdict.workspace !== '') event.fillWorkspace(verdict.workspace);
  return { verdict, received, event };
}

/**
 * What the archive gets of a range of a part; undefined if nothing of it is kept.
 *
 * The received block goes on as it is if every event of the part is kept whole.
 */
export async function keptBatch(
  decided: DecidedPart,
  range: EventRange,
): Promise<KeptBatch | undefined> {
  const kept = verdictsIn(decided, range).map((verdict) => keptEvent(decided, verdict));
  if (kept.length === 0) return undefined;
  const events = kept.map(({ event }) => event);
  const { id, receivedAtUs } = decided.part.batch;
  if (!id) throw new Error('a part of the spool has no id');
  const batch = {
    id: { ...id, firstEvent: range.first, eventCount: range.count },
    receivedAtUs,
    eventCount: kept.length,
    block: receivedBlock(decided, kept) ?? (await compressBlock(events.map(({ bytes }) => bytes))),
    sliceBytes: events.map(({ bytes }) => bytes.length),
    keys: eventKeys(kept.map(({ received }) => received.bytes)),
    requestReceivedUs: events.map(({ requestReceivedUs }) => requestReceivedUs),
    stageUs: events.map(({ stageUs }) => stageUs),
    columns: buildColumns(events, ARCHIVE_FIELDS),
  };
  rememberDecoded(batch, events);
  return {
    batch,
    positions: kept.map(({ verdict }) => verdict.event),
    verdicts: keptVerdicts(decided, kept, range),
    packed: undefined,
    packedColumns: undefined,
    derivedFields: [],
    contentHash: Buffer.alloc(0),
    joined: undefined,
  };
}

/** The verdicts of a batch. Where they are those of the whole part, the very object: its bytes are known already. */
function keptVerdicts(
  { verdicts, events }: DecidedPart,
  kept: readonly KeptEvent[],
  range: EventRange,
): Verdicts {
  const isWhole = range.count === events.length;
  if (isWhole && kept.length === events.length) return verdicts;
  return {
    ...verdicts,
    verdicts: kept.map(({ verdict }, event) =>
      verdict.event === event ? verdict : { ...verdict, event },
    ),
    // Said once: by the batch that speaks for the whole part.
    ignoredCount: isWhole ? verdicts.ignoredCount : 0,
  };
}

function receivedBlock(decided: DecidedPart, kept: readonly KeptEvent[]): Block | undefined {
  const whole = kept.length === decided.events.length;
  if (!whole || kept.some(({ received, event }) => received.bytes !== event.bytes))
    return undefined;
  return decided.part.batch.block;
}
