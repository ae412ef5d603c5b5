import { choiceParameter, numberParameter, type ReadParameter } from './api-parameters';
import type { ApiRequest, ApiRoute } from './api-route';
import { FACETS, HISTOGRAM, STATISTICS } from './api-schemas';
import { archiveSeconds, foldBuckets, parseInterval, type Interval } from './interval';
import { OWN_API } from './own-api';
import { FIELD_NAMES, readQuery } from './own-query';
import { single } from './api-parameters';

const INTERVAL: ReadParameter<Interval> = {
  name: 'interval',
  description:
    'Width of a bucket: a number and one of s, m, h, d, w, M (month), q (quarter), y. Calendar units are in UTC.',
  schema: { type: 'string', pattern: '^[1-9][0-9]{0,5}[smhdwMqy]$', default: '15m' },
  read: (parameters) => parseInterval('interval', single(parameters, 'interval') || '15m'),
};
const FIELD = choiceParameter(
  { name: 'field', description: 'The field whose values are counted. Required.' },
  FIELD_NAMES,
);
const LIMIT = numberParameter(
  { name: 'limit', description: 'Values at most.' },
  { fallback: 20, min: 1, max: 1_000 },
);

/** Questions that are answered with counts of events. */
export const COUNT_ROUTES: readonly ApiRoute[] = [
  {
    path: `${OWN_API}/statistics`,
    need: 'events',
    summary: 'How many events, and how many requests they are of.',
    parameters: [],
    choosesEvents: true,
    answerSchema: STATISTICS,
    async answer({ parameters, services, signal }) {
      const query = readQuery(parameters, []);
      const { eventCount, requestCount } = await services.archive.statistics({ query }, signal);
      return { body: { events: Number(eventCount), requests: Number(requestCount) } };
    },
  },
  {
    path: `${OWN_API}/histogram`,
    need: 'events',
    summary: 'How many events in each span of time.',
    parameters: [INTERVAL],
    choosesEvents: true,
    answerSchema: HISTOGRAM,
    answer: histogram,
  },
  {
    path: `${OWN_API}/facets`,
    need: 'events',
    summary: 'The most frequent values of a field, with their counts.',
    parameters: [FIELD, LIMIT],
    choosesEvents: true,
    answerSchema: FACETS,
    async answer({ parameters, services, signal }) {
      const query = readQuery(parameters, [FIELD, LIMIT]);
      const request = { query, field: FIELD.read(parameters), limit: LIMIT.read(parameters) };
      const { facets, valueCount } = await services.archive.facets(request, signal);
      return {
        body: {
          facets: facets.map(({ value, count }) => ({ value, count: Number(count) })),
          values: Number(valueCount),
        },
      };
    },
  },
];

async function histogram({ parameters, services, signal }: ApiRequest) {
  const query = readQuery(parameters, [INTERVAL]);
  const interval = INTERVAL.read(parameters);
  const request = { query, intervalSeconds: archiveSeconds(interval) };
  const { buckets, total } = await services.archive.histogram(request, signal);
  const folded = foldBuckets(buckets, interval).map(({ startMs, count }) => ({
    start: new Date(startMs).toISOString(),
    count,
  }));
  return { body: { total: Number(total), buckets: folded } };
}
