import { createHash } from 'node:crypto';
import { EventBatch, Source } from '@auditing/proto/event';
import { BlockError, compressBlock } from './block';
import { decodedEvents, forgetDecoded, rememberDecoded } from './decoded-batch';
import { eventKey, eventKeys, keyAt } from './event-key';

const SLICES = ['{"auditID":"a"}', '{"verb":"get"}'].map((text) => Buffer.from(text));

async function batch(): Promise<EventBatch> {
  return EventBatch.create({
    eventCount: SLICES.length,
    block: await compressBlock(SLICES),
    sliceBytes: SLICES.map(({ length }) => length),
    keys: eventKeys(SLICES),
  });
}

test('the events of a batch that came over a socket are read out of its block, once', async () => {
  const received = EventBatch.decode(EventBatch.encode(await batch()).finish());
  const events = await decodedEvents(received, Source.KUBE_AI_HUB);
  expect(events.map(({ bytes }) => String(bytes))).toEqual(SLICES.map(String));
  expect(events.map(({ source }) => source)).toEqual([Source.KUBERNETES, Source.KUBE_AI_HUB]);
  expect(await decodedEvents(received, Source.KUBE_AI_HUB)).toBe(events);
});

test('remembered events are given as they are until they are forgotten', async () => {
  const made = await batch();
  rememberDecoded(made, []);
  expect(await decodedEvents(made, Source.KUBERNETES)).toEqual([]);
  forgetDecoded(made);
  expect(await decodedEvents(made, Source.KUBERNETES)).toHaveLength(2);
});

test('a batch without a block or with lengths that do not fit is refused', async () => {
  const made = await batch();
  await expect(decodedEvents({ ...made, block: undefined }, Source.KUBERNETES)).rejects.toThrow(
    BlockError,
  );
  await expect(decodedEvents({ ...made, sliceBytes: [1] }, Source.KUBERNETES)).rejects.toThrow(
    BlockError,
  );
});

test('keys are SHA-256 of the bytes, in order', () => {
  const keys = eventKeys(SLICES);
  SLICES.forEach((slice, index) => {
    const expected = createHash('sha256').update(slice).digest();
    expect(eventKey(slice).equals(expected)).toBe(true);
    expect(keyAt(keys, index).equals(expected)).toBe(true);
  });
});

test('events are read as they were when they came, the unusual ones too', async () => {
  const texts = [
    '{"auditID":"a","verb":"GET","user":{"username":"u"},"responseStatus":{"code":200}}',
    // A key twice: for JSON.parse.
    '{"auditID":"b","verb":"get","verb":"list"}',
    '{"AuditID":"c","Verb":"create","RequestObject":{"a":[1]}}',
  ];
  const slices = texts.map((text) => Buffer.from(text));
  const made = { ...(await batch()), block: await compressBlock(slices) };
  const received = { ...made, sliceBytes: slices.map(({ length }) => length), eventCount: 3 };
  const events = await decodedEvents(received, Source.KUBERNETES);
  expect(events.map((event) => event.get('AuditID'))).toEqual(['a', 'b', 'c']);
  expect(events.map((event) => event.get('Verb'))).toEqual(['get', 'list', 'create']);
  expect(events.map((event) => event.get('ResponseStatus.code'))).toEqual([
    200,
    undefined,
    undefined,
  ]);
  expect(events[2]?.get('RequestObject')).toEqual({ a: [1] });
  expect(events.every(({ table }) => table === events[0]?.table)).toBe(true);
});

test('lengths that cut an event in two are refused, though they add up', async () => {
  const made = await batch();
  const [first = 0, second = 0] = made.sliceBytes;
  const wrong = { ...made, sliceBytes: [first + 1, second - 1] };
  await expect(decodedEvents(wrong, Source.KUBERNETES)).rejects.toThrow(SyntaxError);
});
