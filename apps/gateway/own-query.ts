import { Match, Order, type Condition, type Query } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { nearest } from '@auditing/service/nearest';
import { ApiError, badParameter, quoted } from './api-error';
import { readTime } from './kapis-query';

/** Every field that can be asked for, by the name of its parameter: that of the typed event, in camel case. */
export const FIELD_NAMES: ReadonlyMap<string, Field> = new Map([
  ['source', Field.SOURCE],
  ['level', Field.LEVEL],
  ['stage', Field.STAGE],
  ['verb', Field.VERB],
  ['user', Field.USER],
  ['groups', Field.GROUPS],
  ['impersonatedUser', Field.IMPERSONATED_USER],
  ['sourceIps', Field.SOURCE_IPS],
  ['userAgent', Field.USER_AGENT],
  ['namespace', Field.NAMESPACE],
  ['resource', Field.RESOURCE],
  ['subresource', Field.SUBRESOURCE],
  ['name', Field.NAME],
  ['apiGroup', Field.API_GROUP],
  ['apiVersion', Field.API_VERSION],
  ['code', Field.CODE],
  ['status', Field.STATUS],
  ['reason', Field.REASON],
  ['requestUri', Field.REQUEST_URI],
  ['workspace', Field.WORKSPACE],
  ['cluster', Field.CLUSTER],
  ['devops', Field.DEVOPS],
  ['auditId', Field.AUDIT_ID],
  ['rule', Field.RULE],
]);

/** What stands between a field and the equals sign: `name~=web` is the parameter `name~`. */
const MATCHES: ReadonlyMap<string, Match> = new Map([
  ['', Match.EXACT],
  ['~', Match.CONTAINS],
  ['^', Match.PREFIX],
]);

/** Parameters that say which events; every question has them. */
const QUERY_PARAMETERS = ['start', 'end', 'text'];

/** Reads which events are meant. The parameters of one question, and only those, may be there besides. */
export function readQuery(parameters: URLSearchParams, besides: readonly string[]): Query {
  const conditions = new Map<string, Condition>();
  for (const [parameter, value] of parameters) {
    if (QUERY_PARAMETERS.includes(parameter) || besides.includes(parameter)) continue;
    const known = conditions.get(parameter);
    if (known) known.values.push(value);
    else conditions.set(parameter, conditionOf(parameter, value, besides));
  }
  const time = (name: string) => {
    const text = parameters.get(name) ?? '';
    return text === '' ? undefined : readTime(name, text);
  };
  return {
    start: time('start'),
    end: time('end'),
    conditions: [...conditions.values()],
    text: parameters.get('text') ?? '',
    scope: undefined,
  };
}

/** A whole number; `fallback` where there is none. */
export function readNumber(
  parameters: URLSearchParams,
  name: string,
  range: { readonly fallback: number; readonly min: number; readonly max: number },
): number {
  const text = parameters.get(name) ?? '';
  if (text === '') return range.fallback;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (number >= range.min && number <= range.max) return number;
  throw badParameter(name, text, {
    expected: `a whole number from ${range.min} to ${range.max}`,
    example: String(range.fallback),
  });
}

/** `true` or `false`; false where there is none. */
export function readBoolean(parameters: URLSearchParams, name: string): boolean {
  const text = parameters.get(name) ?? 'false';
  if (text === 'true' || text === 'false') return text === 'true';
  throw badParameter(name, text, { expected: 'true or false', example: 'true' });
}

/** `newest` or `oldest` first; newest where nothing is said. */
export function readOrder(parameters: URLSearchParams): Order {
  const text = parameters.get('order') ?? 'newest';
  if (text === 'newest') return Order.NEWEST_FIRST;
  if (text === 'oldest') return Order.OLDEST_FIRST;
  throw badParameter('order', text, { expected: 'newest or oldest', example: 'newest' });
}

/** The name of a field. */
export function readField(parameters: URLSearchParams, name: string): Field {
  const text = parameters.get(name) ?? '';
  const field = FIELD_NAMES.get(text);
  if (field !== undefined) return field;
  throw badParameter(name, text, {
    expected: `one of ${[...FIELD_NAMES.keys()].join(', ')}`,
    example: 'user',
  });
}

/** Refuses parameters that are not known: one with a typing mistake must not widen the answer. */
export function refuseUnknown(parameters: URLSearchParams, known: readonly string[]): void {
  for (const parameter of parameters.keys()) {
    if (!known.includes(parameter)) throw unknownParameter(parameter, known);
  }
}

function conditionOf(parameter: string, value: string, besides: readonly string[]): Condition {
  const [, name = '', negation, sign = ''] = /^(\w+)(!?)([~^]?)$/.exec(parameter) ?? [];
  const field = FIELD_NAMES.get(name);
  const match = MATCHES.get(sign);
  if (field === undefined || match === undefined) {
    throw unknownParameter(parameter, [...FIELD_NAMES.keys(), ...QUERY_PARAMETERS, ...besides]);
  }
  return { field, match, values: [value], negate: negation === '!' };
}

function unknownParameter(parameter: string, known: readonly string[]): ApiError {
  const meant = nearest(parameter, known);
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return new ApiError(400, `${quoted(parameter)} is no parameter of this question${hint}`, {
    parameter,
    expected: `one of ${known.join(', ')}; a field may be followed by ~= (contains, with * and ?), ^= (begins with) or != (is not)`,
  });
}
