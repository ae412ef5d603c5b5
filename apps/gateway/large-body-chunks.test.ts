import fc from 'fast-check';
import { BodyError } from '@auditing/audit-event/body-error';
import { splitBody } from '@auditing/audit-event/split-body';
import { chunksOfLargeBody } from './large-body-chunks';
import type { Bytes } from './file-json';
import { event, hubEvent } from './testing/gateway';

const MIB = 2 ** 20;

const bytesOf = (body: Buffer): Bytes => ({
  size: body.length,
  read: (start, end) => Promise.resolve(Buffer.from(body.subarray(start, end))),
});

/** The items that the runs of a body hold, cut apart by the splitter that reads bodies in memory. */
async function itemsByChunks(body: Buffer): Promise<string[]> {
  const items: string[] = [];
  for (const { start, end, list, itemCount } of await chunksOfLargeBody(bytesOf(body))) {
    const run = body.subarray(start, end).toString('latin1');
    const whole = Buffer.from(list ? `[${run}]` : run, 'latin1');
    const { slices, badItems } = splitAll(whole);
    expect(slices.length + badItems.length).toBe(itemCount);
    items.push(...slices.map((slice) => slice.toString('latin1')));
  }
  return items;
}

/** As splitBody, but a body of nothing else than bad items is no error. */
function splitAll(body: Buffer): { slices: Buffer[]; badItems: unknown[] } {
  try {
    return splitBody(body);
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    return {
      slices: [],
      badItems: new Array(Number(/none of (\d+)/.exec(error.message)?.[1] ?? 1)),
    };
  }
}

const space = fc.constantFrom('', ' ', '\n', ' \r\n\t');
const item = fc.oneof(
  fc.constantFrom(event('a'), hubEvent('b'), '{}', '17', '"text ] } \\" \\\\"', 'null', '[[1],{}]'),
  fc.json().map((json) => `{"auditID":${json},"x":[{"y":"}]\\""}]}`),
);
const items = fc.array(item, { maxLength: 8 });
const listOf = (open: string, close: string): fc.Arbitrary<string> =>
  fc
    .tuple(items, space)
    .map(([all, gap]) => `${open}${gap}${all.join(`${gap},${gap}`)}${gap}${close}`);
const document = fc.oneof(
  listOf('{"kind":"EventList","items":[', ']}'),
  listOf('{"Items":[', '],"metadata":{"x":[1,"]"]}}'),
  listOf('[', ']'),
  fc.constantFrom(event('bare'), hubEvent('bare'), '{"items":null}', '{"auditID":"x"}'),
);

describe('runs of a large body', () => {
  test('hold what the splitter of ordinary bodies finds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(document, space), { minLength: 1, maxLength: 4 }),
        async (documents) => {
          const body = Buffer.from(documents.map(([text, gap]) => text + gap).join(''));
          const expected = splitAll(body).slices.map((slice) => slice.toString('latin1'));
          expect(await itemsByChunks(body)).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('end at a megabyte, and are found across the windows in which the file is read', async () => {
    const all = Array.from({ length: 50 }, (_, n) =>
      event(`${n}`, { requestObject: { text: '\\"]}'.repeat(10_000 * (n % 7)) } }),
    );
    const body = Buffer.from(`{"items":[${all.join(', ')}]}`);
    const chunks = await chunksOfLargeBody(bytesOf(body));
    expect(chunks.length).toBeGreaterThan(5);
    for (const { start, end } of chunks) expect(end - start).toBeLessThanOrEqual(MIB);
    expect(await itemsByChunks(body)).toEqual(all);
  });

  test('may be a single event that is larger', async () => {
    const big = event('big', { responseObject: 'x'.repeat(5 * MIB) });
    const body = Buffer.from(`[${event('a')},${big},${event('b')}]`);
    expect((await chunksOfLargeBody(bytesOf(body))).map(({ itemCount }) => itemCount)).toEqual([
      1, 1, 1,
    ]);
    expect(await itemsByChunks(body)).toEqual([event('a'), big, event('b')]);
  });

  test.each([
    ['{"items":[{"a":1}', 'expected , or ]'],
    ['{"items":[{"a":"b', 'ends after'],
    ['{"items":[{"a":1}{"b":2}]}', 'expected , or ]'],
    ['{"items":{}}', 'expected an array of events or null'],
    ['{"items" [', 'expected :'],
    ['{items:[]}', 'expected "'],
    ['[1,]', 'a value'],
    ['}', 'a value'],
  ])('are refused where the body is damaged: %s', async (text, message) => {
    await expect(chunksOfLargeBody(bytesOf(Buffer.from(text)))).rejects.toThrow(message);
  });

  test('are not more than memory holds: a flood of tiny items is refused', async () => {
    const flood = Buffer.from(`[${'{},'.repeat(600_000)}{}]`);
    await expect(chunksOfLargeBody(bytesOf(flood))).rejects.toThrow('more than 500000 items');
  });
});
