import { deliver } from './deliver';
import type { Answer } from './receivers/receiver';

const TAKEN: Answer = { kind: 'taken', by: 'http://am:9093/' };
const RETRY: Answer = { kind: 'retry', reason: 'busy' };

/** Refuses any batch with one of the bad items in it, and counts the requests. */
function receiver(bad: readonly number[]) {
  const sent: number[][] = [];
  return {
    sent,
    send: (batch: readonly number[]): Promise<Answer> => {
      sent.push([...batch]);
      const isRefused = batch.some((item) => bad.includes(item));
      return Promise.resolve(isRefused ? { kind: 'refused', reason: 'bad' } : TAKEN);
    },
  };
}

const ITEMS = Array.from({ length: 64 }, (_, item) => item);

describe('deliver', () => {
  test('sends a good batch once', async () => {
    const { sent, send } = receiver([]);
    const answers = await deliver(ITEMS, send);
    expect(answers.every(({ answer }) => answer.kind === 'taken')).toBe(true);
    expect(sent).toHaveLength(1);
  });

  test.each([[[0]], [[63]], [[13, 14, 40]], [ITEMS]])(
    'finds exactly the bad ones: %j',
    async (bad) => {
      const { sent, send } = receiver(bad);
      const answers = await deliver(ITEMS, send);
      const refused = answers
        .filter(({ answer }) => answer.kind === 'refused')
        .map(({ item }) => item);
      expect(refused).toEqual(bad);
      expect(answers.map(({ item }) => item)).toEqual(ITEMS);
      expect(sent.length).toBeLessThan(2 * ITEMS.length);
    },
  );

  test('stops halving when the receiver becomes busy, and keeps what was found', async () => {
    let requests = 0;
    const answers = await deliver(ITEMS, (batch) => {
      requests += 1;
      if (requests > 4) return Promise.resolve(RETRY);
      return Promise.resolve(batch.includes(20) ? { kind: 'refused', reason: 'bad' } : TAKEN);
    });
    const kinds = answers.map(({ answer }) => answer.kind);
    expect(requests).toBe(5);
    expect(kinds.filter((kind) => kind === 'taken')).toHaveLength(16);
    expect(kinds.filter((kind) => kind === 'retry')).toHaveLength(48);
  });
});
