import { until } from '../testing/until';
import type { Endpoint } from './endpoint';
import type { FiringAlert } from './firing-alert';
import { Instance } from './instance';
import type { Answer } from './receiver';

const SIGNAL = new AbortController().signal;
const TAKEN: Answer = { kind: 'taken', by: 'am' };
const MIB = 1024 * 1024;

const alertOf = (name: string, bytes = 0): FiringAlert => ({
  labels: { name },
  annotations: { message: 'm'.repeat(bytes) },
  startsAt: '2026-05-01T10:00:00Z',
});

/** An instance that answers as it is told, and the names of the alerts of each request to it. */
function instanceOf(post: () => Promise<Answer>) {
  const posted: string[] = [];
  const overflows: number[] = [];
  const endpoint: Endpoint = {
    name: 'am',
    post(_path, { body }) {
      posted.push(...(JSON.parse(body) as FiringAlert[]).map(({ labels }) => labels['name'] ?? ''));
      return post();
    },
    get: () => Promise.resolve('{"uptime":"2026-05-01T09:00:00Z"}'),
    close: () => Promise.resolve(),
  };
  const instance = new Instance(endpoint, {
    ...{ basePath: '', holdMs: 600_000 },
    onOverflow: (count) => overflows.push(count),
    onRefusal: () => undefined,
  });
  return { instance, posted, overflows };
}

test('one that is owed too much lacks alerts until it is settled after that, though it was never started anew', async () => {
  let answer: (answer: Answer) => void = () => undefined;
  const { instance, posted, overflows } = instanceOf(
    () => new Promise((resolve) => (answer = resolve)),
  );
  await instance.mayLackAlerts(SIGNAL);
  instance.settle();
  for (const name of ['a', 'b', 'c']) instance.postBehind([alertOf(name, 2.5 * MIB)]);
  expect(await instance.mayLackAlerts(SIGNAL)).toBe(false);
  instance.postBehind([alertOf('d', MIB), alertOf('e', MIB)]);
  expect(overflows).toEqual([1]);
  expect(instance.owedCount).toBe(4);
  expect(await instance.mayLackAlerts(SIGNAL)).toBe(true);
  // While it is sent what fires, more is dropped: that was not among it.
  instance.postBehind([alertOf('f', 2.5 * MIB)]);
  expect(overflows).toEqual([1, 1]);
  instance.settle();
  expect(await instance.mayLackAlerts(SIGNAL)).toBe(true);
  instance.settle();
  expect(await instance.mayLackAlerts(SIGNAL)).toBe(false);
  const answering = setInterval(() => answer(TAKEN), 1);
  await until('it has what it is owed still', () => instance.owedCount === 0);
  clearInterval(answering);
  expect(posted).toEqual(['a', 'c', 'd', 'e', 'f']);
  await instance.close();
});

// Each count of turns is another place between the answer and the end of the repair.
test.each(Array.from({ length: 16 }, (_, turns) => turns))(
  'what comes %i turns after the last answer is sent too',
  async (turns) => {
    let isFirst = true;
    const late = async (): Promise<void> => {
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      instance.postBehind([alertOf('late')]);
    };
    const { instance, posted } = instanceOf(() => {
      if (isFirst) void late();
      isFirst = false;
      return Promise.resolve(TAKEN);
    });
    instance.postBehind([alertOf('first')]);
    await until('it has both', () => posted.includes('late'));
    await instance.close();
  },
);
