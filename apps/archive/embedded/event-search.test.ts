import { deflateRawSync } from 'node:zlib';

import { compressBlock } from '@auditing/audit-event/block';
import { KeptBatch } from '@auditing/proto/archive';
import { Codec, type Block } from '@auditing/proto/event';
import fc from 'fast-check';

import { DamagedRecordError, fittingEvents } from './event-search';

const EVENTS = [
  '{"auditID":"ä","note":"Grüße, needle"}',
  '{"auditID":"b","note":"need"}',
  '{"auditID":"c","note":"a \\"quoted\\" nee\\u0064le"}',
  '{"auditID":"d","note":"needleneedle"}',
];

function recordOf(events: readonly string[], block: Block): Uint8Array {
  const sliceBytes = events.map((event) => Buffer.byteLength(event));
  return KeptBatch.encode(KeptBatch.fromPartial({ batch: { block, sliceBytes } })).finish();
}

function found(
  data: Uint8Array,
  text: string,
  { wholeRecords = true, events }: { wholeRecords?: boolean; events?: readonly number[] } = {},
): Promise<number[]> {
  const search = { text: Buffer.from(text), conditions: [], wholeRecords };
  return fittingEvents(search, { data, events });
}

const raw = Buffer.from(EVENTS.join(''));
const blocks: readonly [string, () => Promise<Block>][] = [
  ['as it is', () => Promise.resolve({ codec: Codec.NONE, data: raw, rawBytes: raw.length })],
  ['of zstd', () => compressBlock([raw, Buffer.alloc(1000, ' ')])],
  [
    'of deflate',
    () =>
      Promise.resolve({ codec: Codec.DEFLATE, data: deflateRawSync(raw), rawBytes: raw.length }),
  ],
];

describe.each(blocks)('in a block %s', (_name, block) => {
  const record = async (): Promise<Uint8Array> => {
    const made = await block();
    const rest = made.rawBytes - raw.length;
    return recordOf(rest === 0 ? EVENTS : [...EVENTS, ' '.repeat(rest)], made);
  };

  test.each<[string, string, readonly number[]]>([
    ['a text', 'needle', [0, 3]],
    ['the case of letters', 'Needle', []],
    ['text that is not ASCII', 'Grüße', [0]],
    ['an escape as it was written', 'nee\\u0064le', [2]],
    ['a quote as it was written', '\\"quoted\\"', [2]],
    ['text that begins in one event and ends in the next', '}{', []],
    ['the whole of an event', EVENTS[1] ?? '', [1]],
    ['more than an event', (EVENTS[1] ?? '') + (EVENTS[2] ?? ''), []],
  ])('%s: as bytes, within one event', async (_what, text, expected) => {
    expect(await found(await record(), text)).toEqual(expected);
    expect(await found(await record(), text, { wholeRecords: false })).toEqual(expected);
  });

  test('only events that are asked for are found', async () => {
    expect(await found(await record(), 'needle', { events: [1, 3] })).toEqual([3]);
  });
});

const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'ä'), maxLength: 6 });

test('whatever the events are, those that hold the text are found', async () => {
  const sought = fc.record({ events: fc.array(letters, { maxLength: 8 }), text: letters });
  const property = fc.asyncProperty(sought, async ({ events, text }) => {
    const all = Buffer.from(events.join(''));
    const data = recordOf(events, { codec: Codec.NONE, data: all, rawBytes: all.length });
    const expected = events.flatMap((event, at) => (event.includes(text) ? [at] : []));
    expect(await found(data, text)).toEqual(expected);
  });
  await fc.assert(property);
});

test('a record that is damaged, anywhere, is told apart from a fault of the search', async () => {
  const whole = Buffer.from(recordOf(EVENTS, await compressBlock([raw, raw])));
  await expect(found(whole, 'needle')).rejects.toThrow(DamagedRecordError);
  await expect(found(whole.subarray(0, -1), 'needle')).rejects.toThrow(DamagedRecordError);
  const unknown = recordOf(EVENTS, { codec: Codec.UNSPECIFIED, data: raw, rawBytes: raw.length });
  await expect(found(unknown, 'needle')).rejects.toThrow(DamagedRecordError);
});

test('a record without a batch holds no event', async () => {
  expect(await found(new Uint8Array(0), 'needle')).toEqual([]);
});
