import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';

import { handedOver, type SearchTask } from './search-task';

const search = { text: Buffer.from('needle'), conditions: [], wholeRecords: true };

function received(records: SearchTask['records']): SearchTask {
  const { task, memory } = handedOver({ id: 7, search, records });
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(task, memory);
  const { message } = receiveMessageOnPort(port2) as { message: SearchTask };
  port1.close();
  return message;
}

test('records that fill what was read go with its memory, and say the same there', () => {
  const read = Buffer.alloc(100_000, 'abc');
  const records = [read.subarray(0, 40_000), read.subarray(50_000, 90_001)];
  const texts = records.map(String);
  const { id, records: there } = received(records.map((data) => ({ data, events: [1] })));
  expect(id).toBe(7);
  expect(there.map(({ data }) => Buffer.from(data).toString())).toEqual(texts);
  expect(there.map(({ events }) => events)).toEqual([[1], [1]]);
  expect(read).toHaveLength(0);
});

test.each([
  ['the pool of Buffer', Buffer.from('in the pool')],
  ['a large read', Buffer.alloc(2 ** 20, 'abc').subarray(500, 1000)],
])('a record that is a small part of %s goes without the rest', (_name, data) => {
  const text = String(data);
  const [there] = received([{ data, events: undefined }]).records;
  expect(Buffer.from(there?.data ?? []).toString()).toBe(text);
  expect(there?.data.buffer.byteLength).toBe(text.length);
  expect(String(data)).toBe(text);
});
