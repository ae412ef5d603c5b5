import { randomUUID } from 'node:crypto';

import { DistinctCounter, EXACT_MAX } from './distinct';

test('few values are counted exactly', () => {
  const counter = new DistinctCounter();
  for (let index = 0; index < 2 * EXACT_MAX; index += 1) counter.add(`id-${index % EXACT_MAX}`);
  expect(counter.count).toBe(EXACT_MAX);
});

test.each(['random', 'alike'])('many %s values are estimated within 3 standard errors', (kind) => {
  const counter = new DistinctCounter();
  for (let index = 0; index < 2 * EXACT_MAX; index += 1) {
    const value = kind === 'random' ? randomUUID() : `request-${index}`;
    counter.add(value);
    if (index % 3 === 0) counter.add(value);
  }
  expect(Math.abs(counter.count / (2 * EXACT_MAX) - 1)).toBeLessThan(0.025);
});
