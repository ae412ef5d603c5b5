import { Match, type Condition, type Query } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { nearest } from '@auditing/service/nearest';
import { ApiError, badParameter, quoted } from './api-error';
import { textParameter, timeParameter, type ApiParameter } from './api-parameters';

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
  ['priority', Field.PRIORITY],
]);

/** What stands between a field and the equals sign: `name~=web` is the parameter `name~`. */
const MATCHES: readonly (readonly [sign: string, match: Match, words: string])[] = [
  ['', Match.EXACT, 'is'],
  ['~', Match.CONTAINS, 'contains (`*` is any text, `?` one character)'],
  ['^', Match.PREFIX, 'begins with, whatever the case,'],
];

/** The archive takes no more, and would not name the parameter. */
const CONDITIONS_MAX = 64;
const VALUE_MAX_LENGTH = 4_096;

const START = timeParameter({
  name: 'start',
  description: 'Events at or after this: seconds since 1970, or RFC 3339.',
});
const END = timeParameter({
  name: 'end',
  description: 'Events at or before this: seconds since 1970, or RFC 3339.',
});
const TEXT = textParameter({
  name: 'text',
  description: 'Text that must occur in the archived event, case-sensitive.',
});
/** Parameters that say which events, beside those of fields. */
const QUERY_PARAMETERS: readonly ApiParameter[] = [START, END, TEXT];

/** Every parameter that says which events, for the OpenAPI document. */
export const EVENT_PARAMETERS: readonly ApiParameter[] = [
  ...QUERY_PARAMETERS,
  ...[...FIELD_NAMES.keys()].flatMap((field) =>
    ['', '!'].flatMap((negation) =>
      MATCHES.map(([sign, , words]) => ({
        name: `${field}${negation}${sign}`,
        description: `Events whose ${field} ${words} ${negation ? 'none' : 'one'} of the values given. Empty text stands for events without it.`,
        schema: { type: 'array', items: { type: 'string' } },
      })),
    ),
  ),
];

/** Reads which events are meant. The parameters of one question, and only those, may be there besides. */
export function readQuery(parameters: URLSearchParams, besides: readonly ApiParameter[]): Query {
  if ((parameters.get('text') ?? '').length > VALUE_MAX_LENGTH) {
    throw tooLong('text', parameters.get('text') ?? '');
  }
  const others = [...QUERY_PARAMETERS, ...besides].map(({ name }) => name);
  const conditions = new Map<string, Condition>();
  for (const [parameter, value] of parameters) {
    if (others.includes(parameter)) continue;
    if (value.length > VALUE_MAX_LENGTH) throw tooLong(parameter, value);
    const known = conditions.get(parameter);
    if (known) known.values.push(value);
    else conditions.set(parameter, conditionOf(parameter, value, others));
  }
  const [, tooMany] = [...conditions.keys()].slice(CONDITIONS_MAX - 1);
  if (tooMany !== undefined) {
    throw new ApiError(
      400,
      `${quoted(tooMany)} is one condition too many: at most ${CONDITIONS_MAX}`,
      {
        parameter: tooMany,
        expected: `at most ${CONDITIONS_MAX} conditions; several values of one field are one`,
        example: 'verb=delete&verb=patch',
      },
    );
  }
  return {
    start: START.read(parameters),
    end: END.read(parameters),
    conditions: [...conditions.values()],
    text: TEXT.read(parameters),
    scope: undefined,
  };
}

/** Refuses parameters that are not known: one with a typing mistake must not widen the answer. */
export function refuseUnknown(parameters: URLSearchParams, known: readonly string[]): void {
  for (const parameter of parameters.keys()) {
    if (!known.includes(parameter)) throw unknownParameter(parameter, known);
  }
}

function conditionOf(parameter: string, value: string, others: readonly string[]): Condition {
  const [, name = '', negation, sign = ''] = /^(\w+)(!?)([~^]?)$/.exec(parameter) ?? [];
  const field = FIELD_NAMES.get(name);
  const match = MATCHES.find(([one]) => one === sign)?.[1];
  if (field === undefined || match === undefined) {
    throw unknownParameter(parameter, [...FIELD_NAMES.keys(), ...others]);
  }
  return { field, match, values: [value], negate: negation === '!' };
}

function tooLong(parameter: string, value: string): ApiError {
  return badParameter(parameter, value, {
    expected: `a value of at most ${VALUE_MAX_LENGTH} characters`,
    example: 'admin',
  });
}

function unknownParameter(parameter: string, known: readonly string[]): ApiError {
  const meant = nearest(parameter, known);
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return new ApiError(400, `${quoted(parameter)} is no parameter of this question${hint}`, {
    parameter,
    expected:
      known.length === 0
        ? 'no parameters'
        : `one of ${known.join(', ')}; a field may be followed by ~= (contains, with * and ?), ^= (begins with) or != (is not)`,
    example: known[0] ?? '',
  });
}
