import type { EventField } from '@auditing/audit-event/event-fields';
import type { Test } from './condition';
import { TRUE } from './outcome';
import { printPath } from './path-text';
import { compileValueTest } from './value-test';

/** Fields that never hold what reads as a number or a boolean. */
const WORDS: ReadonlySet<EventField> = new Set([
  'Verb',
  'Level',
  'Stage',
  'RequestURI',
  'RequestReceivedTimestamp',
  'StageTimestamp',
]);

/** Fields with few values, all of which are known; each may be empty too. */
export const VOCABULARIES: ReadonlyMap<EventField, readonly string[]> = new Map([
  ['Level', ['None', 'Metadata', 'Request', 'RequestResponse']],
  ['Stage', ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic']],
]);

/** Fields that are lists of texts. */
export const LISTS: ReadonlySet<EventField> = new Set([
  'User.groups',
  'ImpersonatedUser.groups',
  'SourceIPs',
]);

/** Fields that may hold an address. */
const ADDRESSES: ReadonlySet<EventField> = new Set(['SourceIPs', 'HostIP']);

/** What is wrong with what a known field itself is compared with; undefined if nothing. */
export function checkValue(test: Test, field: EventField): string | undefined {
  return (
    checkKind(test, field) ??
    checkList(test, field) ??
    checkVerb(test, field) ??
    checkCode(test, field) ??
    checkVocabulary(test, field)
  );
}

function checkKind(test: Test, field: EventField): string | undefined {
  const isAddressTest = test.kind === 'member' && test.operator === 'ipInCidr';
  if (isAddressTest && !ADDRESSES.has(field)) {
    return `\`${field}\` is never an address; those of the client are in SourceIPs`;
  }
  const kind =
    test.kind === 'truth' ? 'boolean' : test.kind === 'compare' ? test.value.kind : 'text';
  if (kind === 'text' || isAddressTest) return undefined;
  if (LISTS.has(field)) return `\`${field}\` is a list; it is never a ${kind}`;
  return WORDS.has(field) ? `\`${field}\` is a text; it is never a ${kind}` : undefined;
}

/** A list as a whole is the text `[a b]`, which nobody means to write. */
function checkList(test: Test, field: EventField): string | undefined {
  if (!LISTS.has(field)) return undefined;
  const text = comparedTexts(test).find((whole) => !/^\[.*\]$/s.test(whole));
  if (text === undefined) return undefined;
  const name = printPath(test.path);
  return `\`${field}\` is a list; as a whole it is never "${text}", write \`${name}[*]\` for one of its elements`;
}

function checkVerb(test: Test, field: EventField): string | undefined {
  if (field !== 'Verb') return undefined;
  const isPart = test.kind === 'match' && test.operator !== 'regex';
  const texts = isPart ? [test.value.text] : comparedTexts(test);
  const shouting = texts.find((text) => text !== text.toLowerCase());
  if (shouting === undefined) return undefined;
  return `verbs are in lower case; "${shouting}" is never ${isPart ? 'in one' : 'one'}, write "${shouting.toLowerCase()}"`;
}

function checkCode(test: Test, field: EventField): string | undefined {
  if (field !== 'ResponseStatus.code') return undefined;
  if (test.kind === 'compare' && test.value.kind === 'text' && !isEquality(test)) {
    const { text } = test.value;
    if (/^\d{3}$/.test(text)) return undefined;
    return `texts are ordered by their characters, so that 404 comes before "5"; write the number without quotes, not "${text}"`;
  }
  const odd = comparedTexts(test).find((text) => !/^\d+$/.test(text));
  return odd === undefined ? undefined : `\`${field}\` is a number; it is never "${odd}"`;
}

function checkVocabulary(test: Test, field: EventField): string | undefined {
  const vocabulary = VOCABULARIES.get(field);
  if (vocabulary === undefined || test.kind === 'exists') return undefined;
  const is = `it is one of ${vocabulary.join(', ')}`;
  const unknown = comparedTexts(test).find((text) => text !== '' && !vocabulary.includes(text));
  if (unknown !== undefined) return `\`${field}\` is never "${unknown}"; ${is}`;
  const ask = compileValueTest(test);
  const isHopeless =
    typeof ask === 'function' && ['', ...vocabulary].every((word) => ask(word) !== TRUE);
  return isHopeless ? `\`${field}\` is never such; ${is}` : undefined;
}

function isEquality(test: Test): boolean {
  return test.kind === 'compare' && (test.operator === '=' || test.operator === '!=');
}

/** The texts that a test compares whole values with. */
function comparedTexts(test: Test): string[] {
  if (test.kind === 'member' && test.operator === 'in') {
    return test.items.flatMap((item) => (item.kind === 'path' ? [] : [item.text]));
  }
  return test.kind === 'compare' && isEquality(test) && test.value.kind === 'text'
    ? [test.value.text]
    : [];
}
