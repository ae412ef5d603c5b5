import { status } from '@grpc/grpc-js';
import { KEY_BYTES } from '@auditing/audit-event/event-key';
import {
  ExportFormat,
  Match,
  Order,
  type Condition,
  type ExportRequest,
  type FacetsRequest,
  type HistogramRequest,
  type ObjectHistoryRequest,
  type Query,
  type SearchRequest,
} from '@auditing/proto/archive';
import type { Field } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';

import { INDEXED_FIELDS } from './indexed-fields';

/** The limits of archive.proto. */
const SEARCH_LIMIT = 100;
const SEARCH_LIMIT_MAX = 10_000;
const OFFSET_MAX = 1_000_000;
const FACETS_LIMIT = 20;
const HISTORY_LIMIT = 1_000;
const FACETS_LIMIT_MAX = 1_000;

/** More than any screen makes; each costs a pass over a column. */
const CONDITIONS_MAX = 64;
/** The namespaces that a user may see can be thousands. */
const VALUES_MAX = 10_000;
/** A pattern is put to every distinct value of a field. */
const VALUE_MAX_LENGTH = 4_096;

const KNOWN_FIELDS: ReadonlySet<Field> = new Set(INDEXED_FIELDS);
const KNOWN_MATCHES: ReadonlySet<Match> = new Set([
  Match.UNSPECIFIED,
  Match.EXACT,
  Match.CONTAINS,
  Match.PREFIX,
]);

const EVERYTHING: Query = {
  start: undefined,
  end: undefined,
  conditions: [],
  text: '',
  scope: undefined,
};

/**
 * The query, checked; the one that fits everything if there is none.
 *
 * @throws INVALID_ARGUMENT naming the part that is wrong.
 */
export function checkQuery(query: Query | undefined): Query {
  const { conditions, text } = query ?? EVERYTHING;
  if (conditions.length > CONDITIONS_MAX) {
    throw bad('query.conditions', `at most ${CONDITIONS_MAX}`, String(conditions.length));
  }
  conditions.forEach((condition, index) => checkCondition(condition, `query.conditions[${index}]`));
  if (text.length > VALUE_MAX_LENGTH) throw tooLong('query.text', text.length);
  return query ?? EVERYTHING;
}

function checkCondition({ field, match, values }: Condition, where: string): void {
  checkField(field, `${where}.field`);
  if (!KNOWN_MATCHES.has(match)) {
    throw bad(`${where}.match`, 'exact (1), contains (2) or prefix (3)', String(match));
  }
  if (values.length > VALUES_MAX)
    throw bad(`${where}.values`, `at most ${VALUES_MAX}`, String(values.length));
  const long = values.find((value) => value.length > VALUE_MAX_LENGTH);
  if (long !== undefined) throw tooLong(`${where}.values`, long.length);
}

function checkField(field: Field, where: string): void {
  if (!KNOWN_FIELDS.has(field)) {
    throw bad(where, 'a field of auditing.v1.Field, such as FIELD_USER', String(field));
  }
}

/** The search, checked, with limit and order set. */
export function checkSearch(request: SearchRequest): SearchRequest {
  if (request.limit > SEARCH_LIMIT_MAX) {
    throw bad(
      'limit',
      `1 to ${SEARCH_LIMIT_MAX}; page with next_cursor for more`,
      String(request.limit),
    );
  }
  if (request.offset > OFFSET_MAX) {
    throw bad(
      'offset',
      `0 to ${OFFSET_MAX}; page with next_cursor for more`,
      String(request.offset),
    );
  }
  checkOrder(request.order);
  return {
    ...request,
    query: checkQuery(request.query),
    limit: request.limit || SEARCH_LIMIT,
    order: request.order || Order.NEWEST_FIRST,
  };
}

function checkOrder(order: Order): void {
  const known: readonly Order[] = [Order.UNSPECIFIED, Order.NEWEST_FIRST, Order.OLDEST_FIRST];
  if (!known.includes(order))
    throw bad('order', 'newest first (1) or oldest first (2)', String(order));
}

/** The request, checked, with its order and format set. */
export function checkExport(request: ExportRequest): ExportRequest {
  checkOrder(request.order);
  const known: readonly ExportFormat[] = [
    ExportFormat.UNSPECIFIED,
    ExportFormat.NDJSON,
    ExportFormat.CSV,
    ExportFormat.PARQUET,
  ];
  if (!known.includes(request.format))
    throw bad('format', 'NDJSON (1), CSV (2) or Parquet (3)', String(request.format));
  return {
    ...request,
    query: checkQuery(request.query),
    order: request.order || Order.NEWEST_FIRST,
    format: request.format || ExportFormat.NDJSON,
  };
}

/** The request, checked, with its limit set. */
export function checkHistory(request: ObjectHistoryRequest): ObjectHistoryRequest {
  if (request.resource === '') throw bad('resource', 'a plural, such as "deployments"', 'none');
  if (request.name === '') throw bad('name', 'the name of an object', 'none');
  if (request.limit > SEARCH_LIMIT_MAX)
    throw bad('limit', `1 to ${SEARCH_LIMIT_MAX}`, String(request.limit));
  return {
    ...request,
    query: checkQuery(request.query),
    limit: request.limit || HISTORY_LIMIT,
  };
}

/** The request, checked. */
export function checkHistogram(request: HistogramRequest): HistogramRequest {
  if (request.intervalSeconds < 1) {
    throw bad('interval_seconds', 'at least 1, such as 900', String(request.intervalSeconds));
  }
  return { ...request, query: checkQuery(request.query) };
}

/** The request, checked, with its limit set. */
export function checkFacets(request: FacetsRequest): FacetsRequest {
  checkField(request.field, 'field');
  if (request.limit > FACETS_LIMIT_MAX)
    throw bad('limit', `1 to ${FACETS_LIMIT_MAX}`, String(request.limit));
  return { ...request, query: checkQuery(request.query), limit: request.limit || FACETS_LIMIT };
}

/** The key, checked. */
export function checkKey(key: Buffer): Buffer {
  if (key.length !== KEY_BYTES)
    throw bad('key', `${KEY_BYTES} bytes, the key of an event`, `${key.length} bytes`);
  return key;
}

function tooLong(what: string, length: number): RpcError {
  return bad(what, `texts of at most ${VALUE_MAX_LENGTH} characters`, `one of ${length}`);
}

function bad(what: string, expected: string, got: string): RpcError {
  return new RpcError(status.INVALID_ARGUMENT, `${what}: expected ${expected}, got ${got}`);
}
