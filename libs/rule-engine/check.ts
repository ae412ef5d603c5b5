import type { EventField } from '@auditing/audit-event/event-fields';
import { EVENT_FIELDS } from '@auditing/audit-event/event-fields';
import { suggestField } from '@auditing/audit-event/resolve-field';
import type { Test } from './condition';
import { resolvePath, type ResolvedPath } from './field-source';
import { printPath } from './path-text';
import { warning, type Problem } from './problem';
import { compileValueTest } from './value-test';

/** Fields that are objects whose keys are all known. */
const CLOSED_OBJECTS: ReadonlySet<string> = new Set([
  'User',
  'ImpersonatedUser',
  'ObjectRef',
  'ResponseStatus',
]);

/** Keys below closed objects that real events have, though no rule should need them. */
const RARE_KEYS: ReadonlySet<string> = new Set([
  'ResponseStatus.metadata',
  'ResponseStatus.details',
]);

/** Fields that hold an object or a list of one's own making: anything may be below them. */
const OPEN_FIELDS: ReadonlySet<string> = new Set([
  'RequestObject',
  'ResponseObject',
  'Annotations',
  'User.extra',
  'ImpersonatedUser.extra',
]);

const LISTS: ReadonlySet<string> = new Set(['User.groups', 'ImpersonatedUser.groups', 'SourceIPs']);

/** Fields that never hold what reads as a number or a boolean. */
const WORDS: ReadonlySet<string> = new Set([
  'Verb',
  'Level',
  'Stage',
  'RequestURI',
  'RequestReceivedTimestamp',
  'StageTimestamp',
]);

/** Fields with few values, all of which are known. */
const VOCABULARIES: ReadonlyMap<string, readonly string[]> = new Map([
  ['Level', ['None', 'Metadata', 'Request', 'RequestResponse']],
  ['Stage', ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic']],
]);

/**
 * Says what is wrong with one expanded test: errors if it can never be asked, warnings if it is unlikely to do
 * what its author meant.
 */
export function checkTest(test: Test): Problem[] {
  if (test.kind !== 'exists') {
    const compiled = compileValueTest(test);
    if (typeof compiled !== 'function') return [compiled];
  }
  const path = resolvePath(test.path);
  const found = checkField(test, path) ?? checkValue(test, path);
  return found === undefined ? [] : [warning(test.path.from, found)];
}

/** What is wrong with the field itself. */
function checkField(test: Test, { root, steps }: ResolvedPath): string | undefined {
  if ('other' in root) return unknownField(test);
  const { field } = root;
  const [first] = steps;
  if (OPEN_FIELDS.has(field)) return undefined;
  if (CLOSED_OBJECTS.has(field)) {
    if (first === undefined) {
      if (test.kind === 'exists') return undefined;
      const below = EVENT_FIELDS.find((known) => known.startsWith(`${field}.`)) ?? field;
      return `\`${printPath(test.path)}\` is an object, which has no value of its own: name a field below it, such as ${below}`;
    }
    const key = 'key' in first ? `${field}.${first.key}` : '';
    return RARE_KEYS.has(key) ? undefined : unknownField(test);
  }
  if (first === undefined) return undefined;
  const name = printPath(test.path);
  if ('key' in first) return `\`${field}\` has no fields below it${didYouMean(name)}`;
  return LISTS.has(field) ? undefined : `\`${field}\` is no list, so \`${name}\` is never there`;
}

function unknownField({ path }: Test): string {
  const name = printPath(path);
  return `no event has a field \`${name}\`${didYouMean(name)}`;
}

/** What is wrong with what the field is compared with. */
function checkValue(test: Test, { root, steps }: ResolvedPath): string | undefined {
  if ('other' in root || steps.length > 0) return undefined;
  const { field } = root;
  if (WORDS.has(field)) {
    const kind =
      test.kind === 'truth' ? 'boolean' : test.kind === 'compare' ? test.value.kind : 'text';
    if (kind !== 'text') return `\`${field}\` is a text; it is never a ${kind}`;
  }
  const texts = comparedTexts(test);
  if (field === 'Verb') {
    const shouting = texts.find((text) => text !== text.toLowerCase());
    if (shouting === undefined) return undefined;
    return `verbs are in lower case; "${shouting}" is never one, write "${shouting.toLowerCase()}"`;
  }
  const vocabulary = VOCABULARIES.get(field);
  const unknown = vocabulary && texts.find((text) => text !== '' && !vocabulary.includes(text));
  if (unknown === undefined) return undefined;
  return `\`${field}\` is never "${unknown}"; it is one of ${vocabulary?.join(', ') ?? ''}`;
}

/** The texts that a test compares whole values with. */
function comparedTexts(test: Test): string[] {
  if (test.kind === 'member' && test.operator === 'in') {
    return test.items.flatMap((item) => (item.kind === 'text' ? [item.text] : []));
  }
  const isEquality = test.kind === 'compare' && (test.operator === '=' || test.operator === '!=');
  return isEquality && test.value.kind === 'text' ? [test.value.text] : [];
}

function didYouMean(name: string): string {
  const suggestion: EventField | undefined = suggestField(name.replace(/\[[^\]]*\]/g, ''));
  return suggestion === undefined ? '' : `; did you mean ${suggestion}?`;
}
