import { microsFromTimestamp } from '@auditing/audit-event/timestamp';
import { Match, type Condition, type Query, type ScopeEntry } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';

import type { Clause } from './clause';
import { pathOf } from './field-paths';
import { textClause } from './text-clause';

const ALL: Clause = { match_all: {} };
const NONE: Clause = { match_none: {} };

/** The events that fit a query; where it asks for text, those that may hold it. */
export function queryClauses({ start, end, conditions, text, scope }: Query): Clause {
  const filter: Clause[] = [
    timeRange(
      start === undefined ? undefined : microsFromTimestamp(start),
      end === undefined ? undefined : microsFromTimestamp(end),
    ),
    ...conditions.filter(({ values }) => values.length > 0).map(conditionClause),
  ];
  if (scope !== undefined) {
    filter.push(
      anyOf([
        ...scopeClauses(Field.NAMESPACE, scope.namespaces),
        ...scopeClauses(Field.WORKSPACE, scope.workspaces),
      ]),
    );
  }
  const candidates = textClause(text);
  if (candidates !== undefined) filter.push(candidates);
  return { bool: { filter } };
}

const TIME = 'Kept.TimeUs';

/** Also keeps documents out that are none of ours: they have no time. */
function timeRange(startUs: number | undefined, endUs: number | undefined): Clause {
  if (startUs === undefined && endUs === undefined) return { exists: { field: TIME } };
  return {
    range: {
      [TIME]: {
        ...(startUs === undefined ? {} : { gte: startUs }),
        ...(endUs === undefined ? {} : { lte: endUs }),
      },
    },
  };
}

function conditionClause({ field, match, values, negate }: Condition): Clause {
  const fits = anyOf(valueClauses(pathOf(field), match, values));
  return negate ? { bool: { must_not: [fits] } } : fits;
}

function valueClauses(path: string, match: Match, values: readonly string[]): Clause[] {
  switch (match) {
    case Match.CONTAINS:
      return values.map((value) => contains(path, value));
    case Match.PREFIX:
      return values.map((value) => (value === '' ? ALL : prefix(path, value)));
    case Match.EXACT:
    case Match.UNSPECIFIED:
    case Match.UNRECOGNIZED: {
      const terms = { terms: { [path]: values } };
      return values.includes('') ? [terms, without(path)] : [terms];
    }
  }
}

/** Events that lack a field: it counts as empty text. */
function without(path: string): Clause {
  const exists = { exists: { field: path } };
  // A value that is too long is not indexed, and is there all the same.
  const tooLong = { term: { 'Kept.TooLong': path.replace(/\.keyword$/, '') } };
  return { bool: { must_not: [exists, tooLong] } };
}

/** `*` is any text, `?` one character, found anywhere. */
function contains(path: string, pattern: string): Clause {
  if (/^\**$/.test(pattern)) return ALL;
  const value = `*${pattern.replaceAll('\\', '\\\\')}*`;
  return { wildcard: { [path]: { value } } };
}

function prefix(path: string, value: string): Clause {
  // OpenSearch itself knows the case of ASCII alone.
  if (isAscii(value)) return { prefix: { [path]: { value, case_insensitive: true } } };
  return { regexp: { [path]: { value: `${caseless(value)}.*`, flags: 'NONE' } } };
}

function isAscii(text: string): boolean {
  return /^[ -~]*$/.test(text);
}

/** A regular expression for the text in whatever case. */
function caseless(text: string): string {
  return Array.from(text, (one) => {
    const forms = new Set([one, one.toLowerCase(), one.toUpperCase()]);
    return `(${[...forms].map(escaped).join('|')})`;
  }).join('');
}

function escaped(text: string): string {
  return text.replace(/[^\p{L}\p{N}]/gu, '\\$&');
}

/** From its `since` on, the last entry of a name counts; no entry speaks of events that lack the field. */
function scopeClauses(field: Field, entries: readonly ScopeEntry[]): Clause[] {
  const namesBySince = new Map<number | undefined, string[]>();
  for (const [name, { since }] of new Map(entries.map((entry) => [entry.name, entry]))) {
    if (name === '') continue;
    const sinceUs = since === undefined ? undefined : microsFromTimestamp(since);
    namesBySince.set(sinceUs, [...(namesBySince.get(sinceUs) ?? []), name]);
  }
  return [...namesBySince].map(([sinceUs, names]) => ({
    bool: { filter: [{ terms: { [pathOf(field)]: names } }, timeRange(sinceUs, undefined)] },
  }));
}

function anyOf(clauses: readonly Clause[]): Clause {
  const [first] = clauses;
  if (first === undefined) return NONE;
  return clauses.length === 1 ? first : { bool: { should: clauses, minimum_should_match: 1 } };
}
