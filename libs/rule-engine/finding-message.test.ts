import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { splitBody } from '@auditing/audit-event/split-body';
import { Priority, Source, type OutputPart, type RuleName } from '@auditing/proto/event';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { firstMessage, messageOfFinding } from './finding-message';
import { build, rule } from './testing/rule-sets';

const DEFAULT: OutputPart = { part: { $case: 'defaultText', value: true } };
const RULES: readonly RuleName[] = [
  { name: 'a.now', priority: Priority.WARNING, output: [] },
  { name: 'a.default', priority: Priority.INFO, output: [DEFAULT] },
];
const EVENT = {
  auditID: '1',
  verb: 'CREATE',
  user: { username: 'eve' },
  objectRef: { resource: 'pods', name: 'web', namespace: 'shop' },
};

const eventOf = (value: object) =>
  decodeEvent(Buffer.from(JSON.stringify(value)), Source.UNSPECIFIED);
const finding = (rule: number, message = '') => ({ rule, message, alert: false });

test.each([
  [{}, "eve create pods 'web' in Namespace shop"],
  [
    { objectRef: { resource: 'namespaces', name: 'shop', namespace: 'shop' } },
    "eve create namespaces 'shop'",
  ],
  [{ Devops: 'build' }, "eve create pods 'web' in Devops build"],
  [{ Workspace: 'team' }, "eve create pods 'web' in Namespace shop"],
  [
    { Workspace: 'team', objectRef: { resource: 'namespaces', name: 'shop' } },
    "eve create namespaces 'shop' in Workspace team",
  ],
  [{ objectRef: null }, "eve create  ''"],
  [{ user: { username: { a: 1 } } }, " create pods 'web' in Namespace shop"],
  [
    { user: { username: 'x'.repeat(2000) } },
    `${'x'.repeat(1024)}… create pods 'web' in Namespace shop`,
  ],
])('who did what to which object: %j', (changed, message) => {
  expect(messageOfFinding(finding(1), RULES[1], eventOf({ ...EVENT, ...changed }))).toBe(message);
});

test('a workspace that was filled in is in the message', () => {
  const event = eventOf({ ...EVENT, objectRef: { resource: 'devops', name: 'ci' } });
  event.fillWorkspace('team');
  expect(messageOfFinding(finding(1), RULES[1], event)).toBe(
    "eve create devops 'ci' in Workspace team",
  );
});

test('what a finding carries is what it says; one of another rule says nothing', () => {
  const event = eventOf(EVENT);
  expect(messageOfFinding(finding(1, 'said'), RULES[1], event)).toBe('said');
  expect(messageOfFinding(finding(0), RULES[0], event)).toBe('');
  expect(messageOfFinding(finding(7), undefined, event)).toBe('');
});

test('the first message is that of the first finding that has one', () => {
  const event = eventOf(EVENT);
  expect(firstMessage([finding(0, 'said'), finding(1)], RULES, event)).toBe('said');
  expect(firstMessage([finding(0), finding(1)], RULES, event)).toMatch(/^eve create/);
  expect(firstMessage([finding(0)], RULES, event)).toBe('');
  expect(firstMessage([], RULES, event)).toBe('');
});

/** Outputs of every kind that can be made later, and two that cannot. */
const OUTPUTS = [
  '',
  '${User.username} ${Verb} ${ObjectRef.Name}',
  'plain text with ${ an open brace',
  '${$1}/${$2}/${$0}/${$9}',
  '${user.groups} from ${SourceIPs[0]}, ${SourceIPs[*]}',
  '${Annotations."authorization.k8s.io/decision"} ${ResponseStatus.code} ${ResponseStatus.reason}',
  '${RequestReceivedTimestamp} ${nothing} ${Unknown.path[1:2].x} ${}',
  '${RequestObject.metadata.name}',
  'x ${ResponseObject.kind}',
];

function recordedEvents() {
  const folder = join(__dirname, '../audit-event/testdata');
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.json.gz'))
    .flatMap((name) => {
      const { slices, listSource } = splitBody(gunzipSync(readFileSync(join(folder, name))));
      return slices.slice(0, 40).map((slice) => decodeEvent(slice, listSource));
    });
}

test('a message that is made later is the one that an alert would have had', () => {
  const rules = OUTPUTS.map((output, at) =>
    rule(`r${at}`, 'Level exists', { priority: 'INFO', output }),
  );
  const atOnce = build(rules, { alertingPriority: 'INFO', auditLevel: 'RequestResponse' });
  const later = build(rules, { alertingPriority: 'WARNING', auditLevel: 'RequestResponse' });
  const isLater = later.ruleNames.map(({ output }) => output.length > 0);
  expect(isLater).toEqual(OUTPUTS.map((output) => !/RequestObject|ResponseObject/.test(output)));
  const events = recordedEvents();
  expect(events.length).toBeGreaterThan(300);
  for (const event of events) {
    event.fillWorkspace('filled');
    const expected = atOnce.evaluate(event)?.findings.map(({ message }) => message);
    const findings = later.evaluate(event)?.findings ?? [];
    expect(findings.every(({ rule: at, message }) => !isLater[at] || message === '')).toBe(true);
    const shown = findings.map((one) =>
      messageOfFinding(one, later.ruleNames[one.rule], decodeEvent(event.bytes, event.source)),
    );
    const again = findings.map((one) => messageOfFinding(one, later.ruleNames[one.rule], event));
    expect(again).toEqual(expected);
    // The workspace is in the default text alone, of events that this is not one of.
    if (!again.some((message) => message.includes('filled'))) expect(shown).toEqual(expected);
  }
});
