import { Match, Order, type Condition, type Query } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import type { Timestamp } from '@auditing/proto/timestamp';
import { badParameter } from './api-error';
import type { ApiParameter } from './api-parameters';
import { parseInterval, type Interval } from './interval';
import { readTime, TIME_SCHEMA } from './read-time';

/** What is asked for; any other word is a query, as in the original. */
export type KapisOperation = 'query' | 'statistics' | 'histogram' | 'export';

/** Operations of KubeSphere 3, and of 4, which can export besides. */
export const OPERATIONS_V3: readonly KapisOperation[] = ['query', 'statistics', 'histogram'];
export const OPERATIONS_V4: readonly KapisOperation[] = [...OPERATIONS_V3, 'export'];

/** A question in KubeSphere's parameters. */
export interface KapisQuery {
  readonly operation: KapisOperation;
  readonly query: Query;
  readonly from: number;
  readonly size: number;
  readonly order: Order;
  readonly interval: Interval;
}

/** Parameters of a URL, as URLSearchParams. */
type Parameters = Pick<URLSearchParams, 'get'>;

const DEFAULT_SIZE = 10;
const DEFAULT_INTERVAL = '15m';
/** What the document says of how values are compared. */
const MATCH_WORDS: ReadonlyMap<Match, string> = new Map([
  [Match.EXACT, 'each the whole value'],
  [Match.CONTAINS, 'each found anywhere, with * and ?'],
  [Match.PREFIX, 'each the beginning of the value, whatever the case'],
]);
const MAX_FROM = { expected: 'a whole number up to 1000000', example: '0' } as const;
const MAX_SIZE = { expected: 'a whole number up to 10000', example: '10' } as const;

/** Which parameter says what of which field. Values of one parameter are alternatives, parameters all hold. */
const CONDITIONS: readonly (readonly [parameter: string, field: Field, match: Match])[] = [
  ['workspace_filter', Field.WORKSPACE, Match.EXACT],
  ['workspace_search', Field.WORKSPACE, Match.CONTAINS],
  ['objectref_namespace_filter', Field.NAMESPACE, Match.EXACT],
  ['objectref_namespace_search', Field.NAMESPACE, Match.CONTAINS],
  ['objectref_name_filter', Field.NAME, Match.EXACT],
  ['objectref_name_search', Field.NAME, Match.CONTAINS],
  // The original compares these two with the analysed text, by the beginning: `pod` finds `pods`.
  ['objectref_resource_filter', Field.RESOURCE, Match.PREFIX],
  ['objectref_subresource_filter', Field.SUBRESOURCE, Match.PREFIX],
  ['level_filter', Field.LEVEL, Match.EXACT],
  ['verb_filter', Field.VERB, Match.EXACT],
  ['user_filter', Field.USER, Match.EXACT],
  ['user_search', Field.USER, Match.CONTAINS],
  ['group_search', Field.GROUPS, Match.CONTAINS],
  ['source_ip_search', Field.SOURCE_IPS, Match.CONTAINS],
  ['response_code_filter', Field.CODE, Match.EXACT],
  ['response_status_filter', Field.STATUS, Match.EXACT],
  ['cluster', Field.CLUSTER, Match.EXACT],
];

/** Every parameter, for the OpenAPI document. */
export function kapisParameters(operations: readonly KapisOperation[]): readonly ApiParameter[] {
  const words = (names: readonly string[]): string => names.join(', ');
  return [
    {
      name: 'operation',
      description: `One of ${words(operations)}; any other word is a query.`,
      schema: { type: 'string', default: 'query' },
    },
    ...CONDITIONS.map(([name, , match]) => ({
      name,
      description: `Values separated by commas, ${MATCH_WORDS.get(match) ?? ''}.`,
      schema: { type: 'string' },
    })),
    ...['start_time', 'end_time'].map((name) => ({
      name,
      description: 'Seconds since 1970 or RFC 3339; the moment itself is included.',
      schema: TIME_SCHEMA,
    })),
    {
      name: 'interval',
      description: 'Of a histogram: a number and one of s, m, h, d, w, M, q, y.',
      schema: { type: 'string', default: DEFAULT_INTERVAL },
    },
    { name: 'sort', description: '`asc`: oldest first.', schema: { type: 'string' } },
    {
      name: 'from',
      description: 'Records to pass over.',
      schema: { type: 'string', default: '0' },
    },
    { name: 'size', description: 'Records at most.', schema: { type: 'string', default: '10' } },
  ];
}

/**
 * Reads KubeSphere's parameters.
 *
 * Numbers that cannot be read fall back to their defaults without a word, as there; times that cannot be read are an
 * error (there a 500).
 *
 * @param cluster - out of the path; undefined if it names none
 * @throws ApiError with status 400
 */
export function readKapisQuery(
  parameters: Parameters,
  operations: readonly KapisOperation[],
  cluster?: string,
): KapisQuery {
  const conditions = CONDITIONS.flatMap((one) => conditionOf(parameters, one));
  if (cluster !== undefined) {
    conditions.push({ field: Field.CLUSTER, match: Match.EXACT, values: [cluster], negate: false });
  }
  const word = parameters.get('operation');
  const operation = operations.find((one) => one === word) ?? 'query';
  const interval = operation === 'histogram' ? parameters.get('interval') : undefined;
  return {
    operation,
    query: {
      start: timeOf(parameters, 'start_time'),
      end: timeOf(parameters, 'end_time'),
      conditions,
      text: '',
      scope: undefined,
    },
    from: numberOf(parameters, 'from', { fallback: 0, max: 1_000_000, wanted: MAX_FROM }),
    size: numberOf(parameters, 'size', { fallback: DEFAULT_SIZE, max: 10_000, wanted: MAX_SIZE }),
    order: parameters.get('sort') === 'asc' ? Order.OLDEST_FIRST : Order.NEWEST_FIRST,
    interval: parseInterval('interval', interval || DEFAULT_INTERVAL),
  };
}

function conditionOf(
  parameters: Parameters,
  [parameter, field, match]: (typeof CONDITIONS)[number],
): Condition[] {
  const values = (parameters.get(parameter) ?? '')
    .split(',')
    .map((value) => valueOf(field, value.trim()))
    .filter((value) => value !== '');
  return values.length === 0 ? [] : [{ field, match, values, negate: false }];
}

/** As the column holds it: verbs in lower case, codes as decimal text; what is no code is ignored. */
function valueOf(field: Field, value: string): string {
  if (field === Field.VERB) return value.toLowerCase();
  if (field === Field.CODE) return /^[+-]?\d{1,9}$/.test(value) ? String(Number(value)) : '';
  return value;
}

function numberOf(
  parameters: Parameters,
  name: string,
  limits: {
    readonly fallback: number;
    readonly max: number;
    readonly wanted: { readonly expected: string; readonly example: string };
  },
): number {
  const text = parameters.get(name) ?? '';
  if (!/^\d{1,15}$/.test(text)) return limits.fallback;
  if (Number(text) > limits.max) throw badParameter(name, text, limits.wanted);
  return Number(text);
}

function timeOf(parameters: Parameters, name: string): Timestamp | undefined {
  const text = parameters.get(name) ?? '';
  return text === '' ? undefined : readTime(name, text);
}
