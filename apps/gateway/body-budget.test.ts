import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { BodyBudget, NoRoomError, type Release } from './body-budget';

const never = new AbortController().signal;

describe('body budget', () => {
  test('admits in the order of asking, as soon as there is room', async () => {
    const budget = new BodyBudget(100);
    const first = await budget.take(90, never);
    const order: string[] = [];
    const big = budget.take(60, never).then((release) => {
      order.push('big');
      return release;
    });
    const small = budget.take(5, never).then((release) => {
      order.push('small');
      return release;
    });
    await sleep(5);
    expect(order).toEqual([]);
    expect(budget.tryTake(1)).toBeUndefined();
    first();
    (await big)();
    (await small)();
    expect(order).toEqual(['big', 'small']);
    expect(budget.usedBytes).toBe(0);
  });

  test('gives up when the signal aborts, and lets the next in line pass', async () => {
    const budget = new BodyBudget(100);
    const release = await budget.take(90, never);
    const big = expect(budget.take(50, AbortSignal.timeout(20))).rejects.toThrow(NoRoomError);
    const small = budget.take(10, never);
    await big;
    (await small)();
    release();
    expect([budget.usedBytes, budget.waitingCount]).toEqual([0, 0]);
  });

  test('refuses at once what can never fit', async () => {
    await expect(new BodyBudget(10).take(11, never)).rejects.toThrow('can never fit');
  });

  test('is returned once, however often it is given back', async () => {
    const budget = new BodyBudget(10);
    const release = await budget.take(10, never);
    release();
    release();
    expect(budget.usedBytes).toBe(0);
  });

  test('is never overdrawn and comes back whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }),
        async (sizes) => {
          const budget = new BodyBudget(64);
          const held: Release[] = [];
          const all = sizes.map(async (size, index) => {
            const release = await budget.take(size, never);
            expect(budget.usedBytes).toBeLessThanOrEqual(64);
            if (index % 2) await sleep(0);
            held.push(release);
            release();
          });
          await Promise.all(all);
          expect(budget.usedBytes).toBe(0);
        },
      ),
      { numRuns: 30 },
    );
  });
});
