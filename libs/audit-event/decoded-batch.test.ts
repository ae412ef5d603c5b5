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
