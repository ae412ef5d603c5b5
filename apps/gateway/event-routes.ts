import { ExportFormat, Order } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';
import { badParameter } from './api-error';
import {
  booleanParameter,
  choiceParameter,
  hexParameter,
  numberParameter,
  textParameter,
} from './api-parameters';
import { EVENT_STREAM, OCTETS, type ApiRequest, type ApiRoute } from './api-route';
import { EVENT_LIST, EVENT } from './api-schemas';
import { eventJson } from './event-json';
import { OWN_API } from './own-api';
import { readQuery } from './own-query';
import { serverSentEvents } from './server-sent-events';
import { streamed, streamedList } from './streamed-answer';

const LIMIT = numberParameter(
  { name: 'limit', description: 'Events at most.' },
  { fallback: 100, min: 1, max: 10_000 },
);
const CURSOR = textParameter({
  name: 'cursor',
  description: '`nextCursor` of an earlier answer to the same question: goes on from there.',
});
const ORDER = choiceParameter(
  { name: 'order', description: 'Which come first, by the time of the request.' },
  new Map([
    ['newest', Order.NEWEST_FIRST],
    ['oldest', Order.OLDEST_FIRST],
  ]),
  'newest',
);
const RAW = booleanParameter({
  name: 'raw',
  description: 'Whether events carry their archived bytes, as text, in `raw`.',
});
const RESUME_TOKEN = textParameter({
  name: 'resumeToken',
  description:
    'Where to go on: `id` of the last event that came. A browser sends it as Last-Event-ID by itself.',
});
const FORMAT = choiceParameter(
  { name: 'format', description: 'How the file is written.' },
  new Map([
    ['ndjson', ExportFormat.NDJSON],
    ['csv', ExportFormat.CSV],
    ['parquet', ExportFormat.PARQUET],
  ]),
  'ndjson',
);
const EXPORT_LIMIT = numberParameter(
  { name: 'limit', description: 'Events at most; 0: all.' },
  { fallback: 0, min: 0, max: Number.MAX_SAFE_INTEGER },
);
const KEY = hexParameter({ name: 'key', description: 'Key of an event.' }, 64);

const FILE_TYPES: Readonly<Record<string, string>> = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8',
  parquet: 'application/vnd.apache.parquet',
};

const SEARCH = [LIMIT, CURSOR, ORDER, RAW];
const TAIL = [RAW, RESUME_TOKEN];
const EXPORT = [FORMAT, ORDER, EXPORT_LIMIT];

/** Questions that are answered with events. */
export const EVENT_ROUTES: readonly ApiRoute[] = [
  {
    path: `${OWN_API}/events`,
    need: 'events',
    summary: 'Finds events by any field, a page at a time.',
    parameters: SEARCH,
    choosesEvents: true,
    answerSchema: EVENT_LIST,
    answer: search,
  },
  {
    path: `${OWN_API}/events/:key`,
    need: 'events',
    summary: 'One event by its key.',
    parameters: [KEY],
    answerSchema: EVENT,
    answer: async (request) => ({ body: eventJson(await getEvent(request)) }),
  },
  {
    path: `${OWN_API}/events/:key/raw`,
    need: 'events',
    summary: 'The archived bytes of one event.',
    parameters: [KEY],
    type: OCTETS,
    answer: async (request) => ({ body: (await getEvent(request)).raw }),
  },
  {
    path: `${OWN_API}/tail`,
    need: 'events',
    summary: 'Events as they are stored, as server-sent events with their resume token as id.',
    parameters: TAIL,
    choosesEvents: true,
    isLong: true,
    type: EVENT_STREAM,
    answer: tail,
  },
  {
    path: `${OWN_API}/export`,
    need: 'events',
    summary: 'All events that fit, as one file.',
    parameters: EXPORT,
    choosesEvents: true,
    isLong: true,
    type: FILE_TYPES.ndjson ?? OCTETS,
    answer: exportFile,
  },
];

async function search({ parameters, services, signal }: ApiRequest) {
  const request = {
    query: readQuery(parameters, SEARCH),
    order: ORDER.read(parameters),
    limit: LIMIT.read(parameters),
    offset: 0,
    cursor: CURSOR.read(parameters),
    includeRaw: RAW.read(parameters),
    countTotal: false,
    reportProgress: false,
  };
  const body = await streamedList(services.archive.search(request, signal), {
    head: '{"events":',
    none: '[]',
    records: ({ events }) => events.map((event) => JSON.stringify(eventJson(event))),
    tail: (last) => {
      const cursor = last?.nextCursor ?? '';
      return cursor === '' ? '}' : `,"nextCursor":${JSON.stringify(cursor)}}`;
    },
  });
  return { body };
}

function getEvent({ path, services, signal }: ApiRequest): Promise<AuditEvent> {
  const key = path.key ?? '';
  if (!/^[0-9a-fA-F]{64}$/.test(key)) {
    throw badParameter('key', key, {
      expected: 'the key of an event, 64 hexadecimal digits',
      example: `${OWN_API}/events/${'0123456789abcdef'.repeat(4)}`,
    });
  }
  return services.archive.get({ key: Buffer.from(key, 'hex') }, signal);
}

function tail({ parameters, lastEventId, services, signal }: ApiRequest) {
  const request = {
    query: readQuery(parameters, TAIL),
    includeRaw: RAW.read(parameters),
    // A browser that comes back asks with the address of its first time, and says where it was.
    resumeToken: lastEventId || RESUME_TOKEN.read(parameters),
  };
  const events = services.archive.tail(request, signal);
  const body = serverSentEvents(
    events,
    (event) => ({ id: event.resumeToken, data: eventJson(event) }),
    signal,
  );
  return Promise.resolve({ body });
}

async function exportFile({ parameters, services, signal }: ApiRequest) {
  const format = FORMAT.read(parameters);
  const request = {
    query: readQuery(parameters, EXPORT),
    format,
    order: ORDER.read(parameters),
    limit: BigInt(EXPORT_LIMIT.read(parameters)),
  };
  const name = parameters.get('format') || 'ndjson';
  const body = await streamed(chunks(services.archive.export(request, signal)));
  return { body, type: FILE_TYPES[name] ?? OCTETS, fileName: `audit-events.${name}` };
}

async function* chunks(pieces: AsyncIterable<{ readonly data: Buffer }>): AsyncGenerator<Buffer> {
  for await (const { data } of pieces) if (data.length > 0) yield data;
}
