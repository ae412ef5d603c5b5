import { remembered } from './remembered';

let now = 0;
let asked: string[] = [];

const find = (key: string) => () => {
  asked.push(key);
  return Promise.resolve(key.toUpperCase());
};

beforeEach(() => {
  now = 0;
  asked = [];
});

test('an answer counts for its time, and is then looked for again', async () => {
  const memory = remembered<string>({ ttlMs: () => 10, max: 9, now: () => now });
  expect(await memory('a', find('a'))).toBe('A');
  now = 9;
  expect(await memory('a', find('a'))).toBe('A');
  now = 10;
  expect(await memory('a', find('a'))).toBe('A');
  expect(asked).toEqual(['a', 'a']);
});

test('who asks meanwhile shares the answer', async () => {
  const memory = remembered<string>({ ttlMs: () => 10, max: 9, now: () => now });
  await Promise.all([memory('a', find('a')), memory('a', find('a'))]);
  expect(asked).toEqual(['a']);
});

test('failures are not remembered', async () => {
  const memory = remembered<string>({ ttlMs: () => 10, max: 9, now: () => now });
  await expect(memory('a', () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(await memory('a', find('a'))).toBe('A');
});

test('beyond so many keys the oldest are forgotten', async () => {
  const memory = remembered<string>({ ttlMs: () => 10, max: 2, now: () => now });
  for (const key of ['a', 'b', 'c', 'b', 'a']) await memory(key, find(key));
  expect(asked).toEqual(['a', 'b', 'c', 'a']);
});
