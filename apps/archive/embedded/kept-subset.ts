import { compressBlock } from '@auditing/audit-event/block';
import { KEY_BYTES } from '@auditing/audit-event/event-key';
import { KeptBatch } from '@auditing/proto/archive';
import type { Column } from '@auditing/proto/event';

/**
 * The batch with some of its events only: `events` are places in it, ascending, `slices` their bytes. Its id stays: it speaks for the events
 * left out too, which are stored already.
 */
export async function keptSubset(
  { batch, positions, verdicts }: KeptBatch,
  events: readonly number[],
  slices: readonly Buffer[],
): Promise<KeptBatch> {
  const placeOf = new Map(events.map((event, place) => [event, place]));
  const pick = <T>(values: readonly T[]): T[] => values.filter((_, event) => placeOf.has(event));
  return KeptBatch.create({
    batch: batch && {
      ...batch,
      eventCount: events.length,
      block: await compressBlock(slices),
      sliceBytes: pick(batch.sliceBytes),
      keys: Buffer.concat(
        events.map((event) => batch.keys.subarray(event * KEY_BYTES, (event + 1) * KEY_BYTES)),
      ),
      requestReceivedUs: pick(batch.requestReceivedUs),
      stageUs: pick(batch.stageUs),
      columns: batch.columns.map((column) => columnSubset(column, events)),
    },
    positions: pick(positions),
    verdicts: verdicts && {
      ...verdicts,
      verdicts: verdicts.verdicts.flatMap((verdict) => {
        const event = placeOf.get(verdict.event);
        return event === undefined ? [] : [{ ...verdict, event }];
      }),
    },
  });
}

function columnSubset({ field, values, rows }: Column, events: readonly number[]): Column {
  const codes = new Map<string, number>();
  const picked = events.map((event) => {
    const code = rows[event] ?? 0;
    const value = values[code - 1];
    if (code === 0 || value === undefined) return 0;
    const known = codes.get(value) ?? codes.size + 1;
    codes.set(value, known);
    return known;
  });
  return { field, values: [...codes.keys()], rows: picked };
}
