import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Field, Source } from '@auditing/proto/event';
import * as fc from 'fast-check';
import { buildColumns } from './columns';
import { COLUMN_FIELDS } from './column-fields';
import { decodeBody } from './decode-body';
import { type DecodedEvent, decodeEvent } from './decoded-event';
import { EVENT_FIELDS } from './event-fields';
import { EventScanner } from './event-scanner';
import { EventTable } from './event-table';
import { MAX_DEPTH } from './json-bytes';
import { splitBody } from './split-body';

const SAMPLES = join(__dirname, 'testdata');

/** Everything that anybody can ask of an event. */
function facts(event: DecodedEvent) {
  return {
    fields: EVENT_FIELDS.map((field) => [field, event.get(field)]),
    source: event.source,
    times: [event.requestReceivedUs, event.stageUs],
    bodies: [event.hasObject('RequestObject'), event.hasObject('ResponseObject')],
    bytes: event.bytes.toString('latin1'),
  };
}

/** The position after the event, if it is read by its bytes. */
function scannedEnd(bytes: Buffer): number {
  const scanner = new EventScanner(bytes, new EventTable());
  try {
    return scanner.scan(0);
  } finally {
    scanner.release();
  }
}

/** What JSON.parse makes of the items of a body; undefined for one that is not valid. */
function parsed(body: Buffer): (DecodedEvent | undefined)[] {
  const { slices, listSource } = splitBody(body);
  return slices.map((slice) => {
    try {
      return decodeEvent(slice, listSource);
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  });
}

async function expectSame(body: Buffer): Promise<void> {
  const expected = parsed(body);
  const good = expected.flatMap((event) => (event ? [event] : []));
  if (good.length === 0) {
    await expect(decodeBody(body)).rejects.toMatchObject({ name: 'BodyError' });
    return;
  }
  const { events, badItems } = await decodeBody(body);
  expect(badItems).toHaveLength(expected.length - good.length);
  expect(events.map(facts)).toEqual(good.map(facts));
  const cells = (of: readonly DecodedEvent[]) =>
    buildColumns(of, COLUMN_FIELDS).map(({ values, rows }) =>
      rows.map((place) => (place === 0 ? undefined : values[place - 1])),
    );
  expect(cells(events)).toEqual(cells(good));
  for (const { values } of buildColumns(events, COLUMN_FIELDS)) {
    expect(new Set(values).size).toBe(values.length);
  }
}

function recordedBodies(): [string, Buffer][] {
  return readdirSync(SAMPLES, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.json.gz'))
    .map((name) => [name, gunzipSync(readFileSync(join(SAMPLES, name)))]);
}

test.each(recordedBodies())('%s: the same as JSON.parse says, event by event', async (_, body) => {
  await expectSame(body);
});

test('events of kube-apiserver are read by their bytes', () => {
  const [, body = Buffer.of()] =
    recordedBodies().find(([name]) => !/v1beta1|kube-ai-hub|truncated/.test(name)) ?? [];
  const { slices } = splitBody(body);
  const scanned = slices.filter((slice) => scannedEnd(slice) === slice.length);
  expect(scanned.length).toBeGreaterThan(slices.length * 0.95);
});

/** Events that need JSON.parse, or come close to it. */
const UNUSUAL = [
  '{}',
  ' { } ',
  '{"auditID":null,"AuditID":"b"}',
  '{"auditID":"a","auditID":"b"}',
  '{"auditid":"a","verb":"GET"}',
  '{"AuditID":"a","verb":"Get","Verb":"LIST"}',
  '{"verb":null,"Verb":"LIST"}',
  '{"wor\u212aspace":"a","auditID":"b"}',
  '{"workspace":"a","WORKSPACE":"b","auditID":"x"}',
  '{"ve\\u0072b":"get","auditID":"b"}',
  '{"verb":"ge\\u0074","auditID":"b"}',
  '{"verb":"G\u00c4T","auditID":"b"}',
  '{"level":"\\ud800","auditID":"b"}',
  '{"level":"\u00e9\u4e2d","auditID":"b"}',
  '{"level":5,"auditID":"b"}',
  '{"level":["a"],"auditID":{"a":1}}',
  '{"user":"a","auditID":"b"}',
  '{"user":["username"],"objectRef":5,"auditID":"b"}',
  '{"user":{"username":"a","Username":"b"},"auditID":"b"}',
  '{"user":{"USERNAME":"a"},"auditID":"b"}',
  '{"user":{"username":null,"Username":"b"},"auditID":"b"}',
  '{"user":{"username":"a","username":"b"},"auditID":"b"}',
  '{"user":null,"User":{"username":"b"},"auditID":"b"}',
  '{"user":{"groups":[]},"sourceIPs":[ "a" ],"auditID":"b"}',
  '{"user":{"groups":["a","b"]},"sourceIPs":["a",5],"auditID":"b"}',
  '{"user":{"groups":["a\\n"]},"sourceIPs":["\u00e9"],"auditID":"b"}',
  '{"user":{"groups":"a"},"sourceIPs":{"a":1},"auditID":"b"}',
  '{"objectRef":{},"auditID":"b"}',
  '{"objectRef":{"name":"a"},"auditID":"b"}',
  '{"objectRef":{"Name":"a","apiGroup":"g","APIGroup":null},"auditID":"b"}',
  '{"objectRef":{"NAME":"a"},"auditID":"b"}',
  '{"responseStatus":{"code":200,"metadata":{}},"auditID":"b"}',
  '{"responseStatus":{"code":0},"auditID":"b"}',
  '{"responseStatus":{"code":007},"auditID":"b"}',
  '{"responseStatus":{"code":-1},"auditID":"b"}',
  '{"responseStatus":{"code":1.0},"auditID":"b"}',
  '{"responseStatus":{"code":1e3},"auditID":"b"}',
  '{"responseStatus":{"code":12345678901234567890},"auditID":"b"}',
  '{"responseStatus":{"code":"200"},"auditID":"b"}',
  '{"responseStatus":{"code":null},"auditID":"b"}',
  '{"requestObject":null,"responseObject":{"a":[1,2,{"b":"\\u00e9"}]},"auditID":"b"}',
  '{"requestObject":{"a":1},"requestObject":null,"auditID":"b"}',
  '{"requestObject":false,"ResponseObject":0,"auditID":"b"}',
  '{"requestReceivedTimestamp":"2024-05-01T10:00:00.000001Z","stageTimestamp":"2024-05-01T10:00:59.999999Z"}',
  '{"requestReceivedTimestamp":"2024-05-01T10:00:60.000000Z","stageTimestamp":"2024-05-01T10:00:0x.000001Z"}',
  '{"requestReceivedTimestamp":"0001-01-01T00:00:00.000000Z","stageTimestamp":"1970-01-01T00:00:05.000000Z"}',
  '{"requestReceivedTimestamp":5,"stageTimestamp":"2024-05-01T10:00:00Z"}',
  '{"requestReceivedTimestamp":"2024-05-01T10:00:00\\u002e000001Z","auditID":"b"}',
  '{ "auditID" : "b" , "verb" :\t"get"\n,"x" : { "y" : [ ] } }',
  '{"auditID":"b","x":tru}',
  '{"auditID":"b","x":01}',
  '{"auditID":"b","x":"\u0001"}',
  '{"auditID":"b","x":"\\x"}',
  '{"auditID":"b",}',
  '{"auditID":"b" "x":1}',
  '{"auditID":}',
  '{"auditID"}',
  '{"auditID":"b","x":[1,]}',
  '{"auditID":"b","x":{"y":}}',
  '{"auditID":nul}',
  '{"auditID":"b","__proto__":{"verb":"get"},"constructor":1}',
];

test('what is unusual is what JSON.parse says, alone and among others', async () => {
  for (const one of UNUSUAL) {
    await expectSame(Buffer.from(`{"items":[{"auditID":"first","verb":"get"},${one}]}`));
  }
  await expectSame(Buffer.from(`[${UNUSUAL.join(',')}]`));
  const bare = UNUSUAL.filter((one) => one.includes('auditID') && one.endsWith('"b"}'));
  await expectSame(Buffer.from(bare.join('\n')));
});

test('bytes that are not UTF-8 are what JSON.parse makes of them', async () => {
  const event = Buffer.from('{"auditID":"b","level":"a?b","x":"?"}');
  for (const byte of [0x80, 0xc3, 0xe4, 0xf0, 0xff]) {
    const bytes = Buffer.from(event);
    for (let at = bytes.indexOf('?'); at >= 0; at = bytes.indexOf('?', at + 1)) bytes[at] = byte;
    await expectSame(Buffer.concat([Buffer.from('['), bytes, Buffer.from(']')]));
  }
});

test('how deep an event may be nested is the same for whoever parses it later', async () => {
  for (const levels of [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1]) {
    const deep = '['.repeat(levels) + ']'.repeat(levels);
    for (const event of [
      `{"auditID":"a","requestObject":${deep}}`,
      `{"auditID":"a","user":{"extra":${deep}}}`,
      `{"auditID":"a","objectRef":{"x":${deep}}}`,
      `{"auditID":"a","annotations":${deep}}`,
    ]) {
      const body = Buffer.from(`{"items":[{"auditID":"b"},${event}]}`);
      const { events } = await decodeBody(body);
      expect(events.length).toBe(parsed(body).filter((one) => one !== undefined).length);
      for (const one of events) expect(facts(one).bytes).toHaveLength(one.bytes.length);
    }
  }
});

/** Recorded events of all kinds, short enough to be changed a thousand times. */
function shortEvents(): Buffer[] {
  return recordedBodies()
    .filter(([name]) => !name.includes('truncated'))
    .flatMap(([, body]) =>
      splitBody(body)
        .slices.filter(({ length }) => length < 1500)
        .slice(0, 12),
    );
}

test('a change of any byte is seen as JSON.parse sees it', async () => {
  const events = shortEvents();
  await fc.assert(
    fc.asyncProperty(
      fc.nat(events.length - 1),
      fc.array(
        fc.tuple(
          fc.nat(1500),
          fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"\\{}[],:0aA \n'))),
        ),
        {
          minLength: 1,
          maxLength: 3,
        },
      ),
      async (which, changes) => {
        const event = Buffer.from(events[which] ?? Buffer.of());
        for (const [at, byte] of changes) event[at % event.length] = byte;
        if (scannedEnd(event) !== event.length) return;
        // What it takes for an event is one, and says the same.
        const [first] = parsed(Buffer.concat([Buffer.from('['), event, Buffer.from(']')]));
        expect(first?.bytes.length).toBe(event.length);
        await expectSame(
          Buffer.concat([Buffer.from('[{"auditID":"b"},'), event, Buffer.from(']')]),
        );
      },
    ),
    // More than usual; as many as PROPERTY_RUNS says if that is more.
    { numRuns: Math.max(3000, fc.readConfigureGlobal().numRuns ?? 0) },
  );
});

test('thousands of values that look alike are told apart', async () => {
  const alike = Array.from(
    { length: 5000 },
    (_, i) => `same-head-${String(i).padStart(6, '0')}-same-tail`,
  );
  const body = Buffer.from(
    JSON.stringify(alike.map((name) => ({ auditID: name, objectRef: { name } }))),
  );
  await expectSame(body);
});

test('a text has one cell, whichever way it was read', async () => {
  const plain = '{"auditID":"a","verb":"get","objectRef":{"name":"x"}}';
  const escaped = '{"auditID":"\\u0061","verb":"get","objectRef":{"name":"\\u0078"}}';
  const parsedOnly = '{"auditid":"a","verb":"get","objectref":{"name":"x"}}';
  const lacks = '{"auditID":"b","verb":"get","objectRef":{}}';
  const empty = '{"auditID":"","verb":"get","objectRef":{"name":""}}';
  const all = [plain, escaped, parsedOnly, lacks, empty];
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...all), { minLength: 1, maxLength: 8 }),
      async (events) => {
        await expectSame(Buffer.from(`[${events.join(',')}]`));
      },
    ),
  );
});

test('every byte of a value counts, wherever it is and whatever its length', async () => {
  for (const length of Array.from({ length: 40 }, (_, at) => at + 1)) {
    const value = 'bcdefghijklmnopqrstuvwxyzabcdefghijklmno'.slice(0, length);
    const changed = Array.from(value, (_, at) => `${value.slice(0, at)}#${value.slice(at + 1)}`);
    const events = changed.flatMap((other) =>
      [value, other, other, value].map((name) => ({ auditID: name, objectRef: { name } })),
    );
    await expectSame(Buffer.from(JSON.stringify(events)));
  }
});

test('what the body before left in memory is no part of this one', async () => {
  const name = 'x'.repeat(500);
  const whole = Buffer.from(`[{"auditID":"a"},{"auditID":"${name}"},{"auditID":"${name}"}]`);
  await expectSame(whole);
  for (let length = whole.length - 1; length > 30; length -= 1) {
    await expect(decodeBody(whole.subarray(0, length))).rejects.toMatchObject({
      name: 'BodyError',
    });
  }
  await expectSame(whole);
});

test('bodies that are read at once do not meet', () => {
  const bodies = Array.from({ length: 5 }, (_, at) => Buffer.from(`{"auditID":"id-${at}"}`));
  const readers = bodies.map((body) => {
    const table = new EventTable();
    return { body, table, scanner: new EventScanner(body, table) };
  });
  const column = COLUMN_FIELDS.indexOf(Field.AUDIT_ID);
  for (const [at, { body, table, scanner }] of [...readers.entries()].reverse()) {
    expect(scanner.scan(0)).toBe(body.length);
    expect(table.value(column, 0)).toBe(`id-${at}`);
    scanner.release();
  }
  const again = bodies.map((body) => new EventScanner(body, new EventTable()));
  // A second release must not take away what somebody else reads with now.
  for (const { scanner } of readers) scanner.release();
  expect(again.map((scanner) => scanner.scan(0))).toEqual(bodies.map(({ length }) => length));
  for (const scanner of again) scanner.release();
});

test('a body larger than all before it is read, and so is the small one after it', async () => {
  const event = (auditID: string, bytes: number) =>
    `{"auditID":"${auditID}","verb":"get","requestObject":{"data":"${'y'.repeat(bytes)}"}}`;
  for (const bytes of [10, 300_000, 6_000_000, 10, 100_000]) {
    await expectSame(Buffer.from(`[${event('a', bytes)},${event('b', 10)}]`));
  }
});

test('more values than are remembered have one cell each', async () => {
  const ids = Array.from({ length: 10_000 }, (_, i) => `id-${i}`);
  const events = [...ids, ...ids].map((auditID) => ({ auditID, verb: 'get' }));
  await expectSame(Buffer.from(JSON.stringify(events)));
});

test('a source is what the event says', async () => {
  const { events } = await decodeBody(
    Buffer.from('{"Items":[{"auditID":"a"},{"AuditID":"b"},{"verb":"get"}]}'),
  );
  expect(events.map(({ source }) => source)).toEqual([
    Source.KUBERNETES,
    Source.KUBE_AI_HUB,
    Source.KUBE_AI_HUB,
  ]);
});
