import { decodeEvent, type DecodedEvent } from '@auditing/audit-event/decoded-event';
import { EVENT_FIELDS, type EventField } from '@auditing/audit-event/event-fields';
import { fieldKeys } from '@auditing/audit-event/field-keys';
import { Source } from '@auditing/proto/event';
import { build, problemsOf, rule } from './testing/rule-sets';

/** Of every field another value, so that none can be taken for another. */
function eventOf(spelling: 'lower' | 'go'): DecodedEvent {
  const event: Record<string, unknown> = {};
  for (const field of EVENT_FIELDS) {
    const { top, nested } = fieldKeys(field);
    const hasBelow = EVENT_FIELDS.some((other) => other.startsWith(`${field}.`));
    if (nested !== undefined) {
      const above = (event[top[spelling]] ??= {}) as Record<string, unknown>;
      above[nested[spelling]] = valueOf(field);
    } else if (!hasBelow) event[top[spelling]] = valueOf(field);
  }
  return decodeEvent(Buffer.from(JSON.stringify(event)), Source.UNSPECIFIED);
}

/** A value in lower case, as Verb is. */
function valueOf(field: EventField): unknown {
  const isBody = ['RequestObject', 'ResponseObject', 'Annotations'].includes(field);
  const text = field.toLowerCase();
  return isBody || field.endsWith('.extra') ? { key: text } : text;
}

/** `ObjectRef.Resource`, `objectRef.resource`, `User.Username`, and what people write besides. */
function spellings(field: EventField): string[] {
  const { top, nested } = fieldKeys(field);
  const title = field.replace(/\.(.)/, (_, first: string) => `.${first.toUpperCase()}`);
  const lower = nested === undefined ? top.lower : `${top.lower}.${nested.lower}`;
  return [...new Set([field, lower, title, field.toLowerCase(), field.toUpperCase()])];
}

const events = { kubernetes: eventOf('lower'), 'kube-ai-hub': eventOf('go') };

it('reads events of both sources', () => {
  expect(events.kubernetes.source).toBe(Source.KUBERNETES);
  expect(events['kube-ai-hub'].source).toBe(Source.KUBE_AI_HUB);
});

const OBJECTS: readonly EventField[] = ['User', 'ImpersonatedUser', 'ObjectRef', 'ResponseStatus'];

it.each(EVENT_FIELDS.filter((field) => !OBJECTS.includes(field)))(
  'reaches %s by every spelling, in events of either source, without a warning',
  (field) => {
    const isObject = typeof valueOf(field) === 'object';
    const conditions = spellings(field).map((spelling) =>
      isObject
        ? `${spelling}.key = "${field.toLowerCase()}"`
        : `${spelling} like "${field.toLowerCase()}" and not (${spelling} like "?${field.toLowerCase()}")`,
    );
    const set = build(conditions.map((condition, i) => rule(`r${i}`, condition)));
    expect(
      problemsOf(set).filter(
        (problem) => !problem.includes('`Level`') && !problem.includes('`Stage`'),
      ),
    ).toEqual([]);
    for (const event of Object.values(events))
      expect(set.evaluate(event)?.findings).toHaveLength(conditions.length);
  },
);

it.each(OBJECTS)('takes %s by every spelling for existing', (field) => {
  const conditions = spellings(field).map((spelling, i) => rule(`r${i}`, `${spelling} exists`));
  const set = build(conditions);
  expect(problemsOf(set)).toEqual([]);
  for (const event of Object.values(events))
    expect(set.evaluate(event)?.findings).toHaveLength(conditions.length);
});

it('keeps the case of keys in bodies, annotations and extras', () => {
  const set = build([
    rule('body', 'requestObject.Key exists'),
    rule('annotation', 'annotations.Key exists'),
    rule('extra', 'user.extra.Key exists'),
    rule('right', 'REQUESTOBJECT.key exists'),
  ]);
  for (const event of Object.values(events))
    expect(
      set.evaluate(event)?.findings.map((finding) => set.ruleNames[finding.rule]?.name),
    ).toEqual(['alerting-rule.right']);
});
