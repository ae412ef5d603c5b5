import type { AlertServiceService } from '@auditing/proto/alert';
import type { ArchiveServiceService } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';
import type { RuleServiceService } from '@auditing/proto/rule';
import type { Api } from '@auditing/service/rpc';
import { badParameter } from './api-error';
import type { ApiHandler, ApiRequest, ApiRoutes } from './api-handler';
import { alertJson, eventJson, ruleJson } from './event-json';
import { archiveSeconds, foldBuckets, parseInterval } from './interval';
import {
  readBoolean,
  readField,
  readNumber,
  readOrder,
  readQuery,
  refuseUnknown,
} from './own-query';
import { serverSentEvents } from './server-sent-events';
import { searchAnswer } from './streamed-json';

/** Services that questions are about. */
export interface QueryServices {
  readonly archive: Pick<
    Api<typeof ArchiveServiceService>,
    'search' | 'get' | 'statistics' | 'histogram' | 'facets' | 'tail'
  >;
  readonly rule: Pick<Api<typeof RuleServiceService>, 'listRules'>;
  readonly alert: Pick<Api<typeof AlertServiceService>, 'list'>;
}

/** Where our own API begins. */
export const OWN_API = '/apis/query.auditing.kubesphere.io/v1alpha1';

const OCTETS = 'application/octet-stream';
const SEARCH_LIMIT = { fallback: 100, min: 1, max: 10_000 };
const FACET_LIMIT = { fallback: 20, min: 1, max: 1_000 };
const ALERT_LIMIT = { fallback: 100, min: 1, max: 1_000 };

/** Our own query API. */
export function ownRoutes({ archive, rule, alert }: QueryServices): ApiRoutes {
  return {
    [`${OWN_API}/events`]: searchEvents(archive),
    [`${OWN_API}/events/:key`]: async (request) => ({
      body: eventJson(await getEvent(archive, request)),
    }),
    [`${OWN_API}/events/:key/raw`]: async (request) => ({
      body: (await getEvent(archive, request)).raw,
      type: OCTETS,
    }),
    [`${OWN_API}/tail`]: ({ parameters, signal }) => {
      const includeRaw = readBoolean(parameters, 'raw');
      const query = readQuery(parameters, ['raw']);
      const events = archive.tail({ query, includeRaw, resumeToken: '' }, signal);
      return Promise.resolve({
        body: serverSentEvents(events, eventJson, signal),
        type: 'text/event-stream',
      });
    },
    ...counts(archive),
    [`${OWN_API}/rules`]: async ({ parameters, signal }) => {
      refuseUnknown(parameters, []);
      const { rules } = await rule.listRules({}, signal);
      return { body: { rules: rules.map(ruleJson) } };
    },
    [`${OWN_API}/alerts`]: async ({ parameters, signal }) => {
      refuseUnknown(parameters, ['rule', 'limit']);
      const limit = readNumber(parameters, 'limit', ALERT_LIMIT);
      const { alerts } = await alert.list({ rule: parameters.get('rule') ?? '', limit }, signal);
      return { body: { alerts: alerts.map(alertJson) } };
    },
  };
}

function searchEvents(archive: QueryServices['archive']): ApiHandler {
  return async ({ parameters, signal }) => {
    const request = {
      query: readQuery(parameters, ['limit', 'cursor', 'order', 'raw']),
      order: readOrder(parameters),
      limit: readNumber(parameters, 'limit', SEARCH_LIMIT),
      offset: 0,
      cursor: parameters.get('cursor') ?? '',
      includeRaw: readBoolean(parameters, 'raw'),
      countTotal: false,
      reportProgress: false,
    };
    const body = await searchAnswer(archive.search(request, signal), {
      head: '{"events":',
      none: '[]',
      record: (event) => JSON.stringify(eventJson(event)),
      tail: (last) => {
        const cursor = last?.nextCursor ?? '';
        return cursor === '' ? '}' : `,"nextCursor":${JSON.stringify(cursor)}}`;
      },
    });
    return { body };
  };
}

async function getEvent(
  archive: QueryServices['archive'],
  { path, signal }: ApiRequest,
): Promise<AuditEvent> {
  const key = path.key ?? '';
  if (!/^[0-9a-fA-F]{64}$/.test(key)) {
    throw badParameter('key', key, {
      expected: 'the key of an event, 64 hexadecimal digits',
      example: `${OWN_API}/events/${'0123456789abcdef'.repeat(4)}`,
    });
  }
  return archive.get({ key: Buffer.from(key, 'hex') }, signal);
}

function counts(archive: QueryServices['archive']): ApiRoutes {
  return {
    [`${OWN_API}/statistics`]: async ({ parameters, signal }) => {
      const query = readQuery(parameters, []);
      const { eventCount, requestCount } = await archive.statistics({ query }, signal);
      return { body: { events: Number(eventCount), requests: Number(requestCount) } };
    },
    [`${OWN_API}/histogram`]: async ({ parameters, signal }) => {
      const query = readQuery(parameters, ['interval']);
      const interval = parseInterval('interval', parameters.get('interval') ?? '15m');
      const intervalSeconds = archiveSeconds(interval);
      const { buckets, total } = await archive.histogram({ query, intervalSeconds }, signal);
      const folded = foldBuckets(buckets, interval).map(({ startMs, count }) => ({
        start: new Date(startMs).toISOString(),
        count,
      }));
      return { body: { total: Number(total), buckets: folded } };
    },
    [`${OWN_API}/facets`]: async ({ parameters, signal }) => {
      const query = readQuery(parameters, ['field', 'limit']);
      const field = readField(parameters, 'field');
      const limit = readNumber(parameters, 'limit', FACET_LIMIT);
      const { facets } = await archive.facets({ query, field, limit }, signal);
      return {
        body: { facets: facets.map(({ value, count }) => ({ value, count: Number(count) })) },
      };
    },
  };
}
