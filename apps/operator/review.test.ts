import type { Resource } from '@auditing/rule-engine/rule-set';
import { review, type ReviewAnswer } from './review';

const rule = (name: string, entries: Resource[]): Resource => ({
  apiVersion: 'auditing.kubesphere.io/v1alpha1',
  kind: 'Rule',
  metadata: { name, namespace: 'here', labels: { type: 'archiving' } },
  spec: { rules: entries },
});
const entry = (name: string, condition: string): Resource => ({
  ...{ name, type: 'rule', condition, enable: true, priority: 'INFO' },
});
const macro = (name: string, text: string): Resource => ({ name, type: 'macro', macro: text });
const webhook: Resource = {
  kind: 'Webhook',
  metadata: { name: 'kube-auditing-webhook' },
  spec: { auditLevel: 'RequestResponse', k8sAuditingEnabled: true },
};

const judged = (resource: Resource, before?: Resource, rules: Resource[] = []): ReviewAnswer =>
  review({ kind: 'Rule', resource, before }, { rules, webhook });

test('a Rule with an error is refused with path, line, column and reason', () => {
  const { refusal } = judged(
    rule('a', [entry('good', 'Verb exists'), entry('bad', 'Verb =\n  "x" and')]),
  );
  expect(refusal).toMatch(/^spec\.rules\[1\]\.condition, line 2, column \d+: /);
  expect(refusal).toContain('^');
});

test('a Rule may use macros of others, and one that they need cannot be removed', () => {
  const base = rule('base', [macro('reads', 'Verb in ("get", "list")')]);
  const user = rule('user', [entry('one', '${base.reads}')]);
  expect(judged(user, undefined, [base]).refusal).toBeUndefined();
  expect(judged(user).refusal).toContain('base.reads');
  const without = rule('base', [macro('writes', 'Verb = "create"')]);
  expect(judged(without, base, [user]).refusal).toMatch(/^Rule\/here\/user spec\.rules\[0\]/);
});

test('an error that was there before does not keep other entries from being edited', () => {
  const before = rule('a', [entry('bad', 'Verb ='), entry('x', 'Verb = "get"')]);
  const after = rule('a', [entry('new', 'Verb = "list"'), entry('bad', 'Verb =')]);
  const { refusal, warnings } = judged(after, before);
  expect(refusal).toBeUndefined();
  expect(warnings.join()).toContain('spec.rules[1].condition');
  expect(
    judged(rule('a', [entry('bad', 'Verb ='), entry('x', 'Verb in (')]), before).refusal,
  ).toMatch(/^spec\.rules\[1\]/);
});

test('a Webhook is never refused, and told what is wrong with it', () => {
  const resource: Resource = {
    kind: 'Webhook',
    metadata: { name: 'kube-auditing-webhook' },
    spec: {
      auditSinkPolicy: { archivingRuleSelector: { matchLabels: { type: 'persistence' } } },
      receivers: [{ name: 'a', type: 'pigeon' }],
    },
  };
  const rules = [rule('archiving-rule', [entry('one', 'Verb exists')])];
  const { refusal, warnings } = review(
    { kind: 'Webhook', resource, before: undefined },
    { rules, webhook },
  );
  expect(refusal).toBeUndefined();
  expect(warnings).toEqual(
    expect.arrayContaining([
      expect.stringContaining('write matchLabels {type: archiving}') as string,
      expect.stringContaining('spec.receivers[0].type') as string,
    ]),
  );
});
