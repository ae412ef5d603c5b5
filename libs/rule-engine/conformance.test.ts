import { readFileSync } from 'node:fs';
import { runConformance, type ConformanceFile } from './conformance';

const file = JSON.parse(
  readFileSync(`${__dirname}/testdata/conditions.json`, 'utf8'),
) as ConformanceFile;

it('gives what the conformance file says, for every case', () => {
  expect(file.cases.length).toBeGreaterThan(250);
  expect(runConformance(file)).toEqual([]);
});

it('shows a case that comes out differently, with the reason of a refusal', () => {
  const cases = [
    { condition: 'Verb = "create"', event: 0, expect: false },
    { condition: 'Verb = ', event: 0, expect: true },
  ];
  expect(runConformance({ events: file.events, cases })).toEqual([
    { conformanceCase: cases[0], found: true, reason: '' },
    {
      conformanceCase: cases[1],
      found: 'reject',
      reason: expect.stringContaining('expected a text in double quotes') as string,
    },
  ]);
});
