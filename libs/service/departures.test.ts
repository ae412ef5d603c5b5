import { Departures } from './departures';

const OPTIONS = { everyMs: 25, most: 3 };

beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate'] }));
afterEach(() => jest.useRealTimers());

/** Names, in the order in which they leave. */
function travellers(departures: Departures): {
  readonly left: string[];
  readonly come: (name: string) => void;
} {
  const left: string[] = [];
  return {
    left,
    come(name) {
      const turn = departures.turn();
      if (turn === undefined) left.push(name);
      else void turn.then(() => left.push(name));
    },
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the first leaves at once, those after it together when their time has come', async () => {
  const { left, come } = travellers(new Departures(OPTIONS));
  for (const name of ['a', 'b', 'c']) come(name);
  jest.advanceTimersByTime(24);
  await settled();
  expect(left).toEqual(['a']);
  jest.advanceTimersByTime(1);
  await settled();
  expect(left).toEqual(['a', 'b', 'c']);
});

test('as many as may wait leave at once, and the next wait again', async () => {
  const { left, come } = travellers(new Departures(OPTIONS));
  for (const name of ['a', 'b', 'c', 'd', 'e']) come(name);
  await settled();
  expect(left).toEqual(['a', 'b', 'c', 'd']);
  jest.advanceTimersByTime(24);
  await settled();
  expect(left).toHaveLength(4);
  jest.advanceTimersByTime(1);
  await settled();
  expect(left).toHaveLength(5);
});

test('who comes after a pause leaves at once', () => {
  const { left, come } = travellers(new Departures(OPTIONS));
  come('a');
  jest.advanceTimersByTime(25);
  come('b');
  expect(left).toEqual(['a', 'b']);
});
