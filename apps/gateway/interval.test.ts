import { archiveSeconds, foldBuckets, parseInterval } from './interval';

const day = (text: string, count: bigint) => ({
  start: { seconds: BigInt(Date.parse(`${text}T00:00:00Z`) / 1_000), nanos: 0 },
  count,
});
const fold = (interval: string, ...buckets: ReturnType<typeof day>[]) =>
  foldBuckets(buckets, parseInterval('interval', interval)).map(({ startMs, count }) => [
    new Date(startMs).toISOString().slice(0, 10),
    count,
  ]);

test.each([
  ['30s', 30],
  ['15m', 900],
  ['2h', 7_200],
  ['1d', 86_400],
  ['1w', 86_400],
  ['1M', 86_400],
  ['1q', 86_400],
  ['1y', 86_400],
])('%s asks the archive for buckets of %i s', (text, seconds) => {
  expect(archiveSeconds(parseInterval('interval', text))).toBe(seconds);
});

test.each(['', '15', 'm', '0m', '-1m', '1.5h', '1 m', '15x', '9999999s'])(
  '%j is refused',
  (text) => {
    expect(() => parseInterval('interval', text)).toThrow('interval: expected');
  },
);

test('weeks begin on Mondays', () => {
  expect(fold('1w', day('2024-05-05', 1n), day('2024-05-06', 2n), day('2024-05-12', 4n))).toEqual([
    ['2024-04-29', 1],
    ['2024-05-06', 6],
  ]);
});

test('months, quarters and years are those of the calendar', () => {
  const days = [
    day('2023-12-31', 1n),
    day('2024-02-29', 2n),
    day('2024-03-31', 4n),
    day('2024-04-01', 8n),
  ];
  expect(fold('1M', ...days)).toEqual([
    ['2023-12-01', 1],
    ['2024-02-01', 2],
    ['2024-03-01', 4],
    ['2024-04-01', 8],
  ]);
  expect(fold('1q', ...days)).toEqual([
    ['2023-10-01', 1],
    ['2024-01-01', 6],
    ['2024-04-01', 8],
  ]);
  expect(fold('1y', ...days)).toEqual([
    ['2023-01-01', 1],
    ['2024-01-01', 14],
  ]);
});
