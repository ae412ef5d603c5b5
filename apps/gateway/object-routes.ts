import {
  ObjectVersion,
  type ObjectHistoryRequest,
  type ObjectHistoryResponse,
} from '@auditing/proto/archive';
import { booleanParameter, numberParameter, textParameter } from './api-parameters';
import type { ApiRequest, ApiRoute } from './api-route';
import { HISTORY } from './api-schemas';
import { eventJson } from './event-json';
import { OWN_API } from './own-api';
import { readQuery } from './own-query';
import { streamedList } from './streamed-answer';

const API_GROUP = textParameter({
  name: 'apiGroup',
  description: 'API group of the object, such as `apps`; empty: the core group.',
});
const RESOURCE = textParameter(
  { name: 'resource', description: 'Plural of its kind. Required.' },
  'deployments',
);
const NAMESPACE = textParameter({
  name: 'namespace',
  description: 'Its namespace; empty for an object of the cluster.',
});
const NAME = textParameter({ name: 'name', description: 'Its name. Required.' }, 'web');
const WRITES_ONLY = booleanParameter({
  name: 'writesOnly',
  description: 'Only events that may change the object.',
});
const LIMIT = numberParameter(
  { name: 'limit', description: 'Events at most.' },
  { fallback: 1_000, min: 1, max: 10_000 },
);
const CURSOR = textParameter({
  name: 'cursor',
  description: '`nextCursor` of an earlier answer to the same question: goes on from there.',
});
const RAW = booleanParameter({
  name: 'raw',
  description: 'Whether events carry their archived bytes, as text, in `raw`.',
});
const PARAMETERS = [API_GROUP, RESOURCE, NAMESPACE, NAME, WRITES_ONLY, LIMIT, CURSOR, RAW];

/** What a version is called in JSON; undefined for an event without one. */
const VERSIONS: ReadonlyMap<ObjectVersion, string> = new Map([
  [ObjectVersion.RESPONSE, 'response'],
  [ObjectVersion.REQUEST, 'request'],
  [ObjectVersion.PATCH, 'patch'],
]);

/** Questions about one object. */
export const OBJECT_ROUTES: readonly ApiRoute[] = [
  {
    path: `${OWN_API}/objects/history`,
    need: 'events',
    summary: 'All events of one object, oldest first, each with what it changed.',
    parameters: PARAMETERS,
    choosesEvents: true,
    answerSchema: HISTORY,
    answer: history,
  },
];

async function history({ parameters, services, signal }: ApiRequest) {
  const request: ObjectHistoryRequest = {
    apiGroup: API_GROUP.read(parameters),
    resource: RESOURCE.read(parameters),
    namespace: NAMESPACE.read(parameters),
    name: NAME.read(parameters),
    query: readQuery(parameters, PARAMETERS),
    writesOnly: WRITES_ONLY.read(parameters),
    limit: LIMIT.read(parameters),
    cursor: CURSOR.read(parameters),
    includeRaw: RAW.read(parameters),
  };
  const body = await streamedList(services.archive.objectHistory(request, signal), {
    head: '{"history":',
    none: '[]',
    records: (entry) => (entry.event === undefined ? [] : [JSON.stringify(historyJson(entry))]),
    tail: (last) => {
      const cursor = last?.nextCursor ?? '';
      return cursor === '' ? '}' : `,"nextCursor":${JSON.stringify(cursor)}}`;
    },
  });
  return { body };
}

function historyJson(entry: ObjectHistoryResponse): object {
  const { event, version, previousKey, changes, omittedChangeCount } = entry;
  return {
    event: event && eventJson(event),
    version: VERSIONS.get(version),
    previousKey: previousKey.length === 0 ? undefined : previousKey.toString('hex'),
    changes,
    omittedChangeCount,
  };
}
