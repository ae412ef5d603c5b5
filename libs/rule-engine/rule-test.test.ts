import { buildRuleSet, type Resource, type RuleSet } from './rule-set';
import { runRuleTest } from './rule-test';
import { build, rule, ruleResource, webhook } from './testing/rule-sets';

const buildSet = (): RuleSet =>
  build([
    rule('deletes', 'Verb = "delete"', { output: '${User.username} deleted' }),
    rule('quiet', 'Verb = "list"', { priority: 'INFO' }),
    rule('silent', 'Verb = "list"', { priority: 'INFO' }),
    rule('off', 'Verb = "get"', { enable: false }),
    rule('broken', 'Verb = '),
  ]);
const deletes = 'alerting-rule.deletes';

/** Runs the tests; gives each event's message, and what is wrong. */
function run(tests: readonly Resource[]): { messages: string[]; problems: string[] } {
  const outcome = runRuleTest(buildSet(), { metadata: { name: 't' }, spec: { tests } });
  for (const { passed, message } of outcome.results) expect(passed).toBe(message === '');
  return {
    messages: outcome.results.map(({ message }) => message),
    problems: outcome.diagnostics.map(({ path, message }) => `${path}: ${message}`),
  };
}

it('passes what comes out as it must, in either casing, as an object or as text', () => {
  const { results, diagnostics } = runRuleTest(buildSet(), {
    metadata: { name: 't' },
    spec: {
      tests: [
        {
          rule: deletes,
          mustFind: [
            {
              name: 'one',
              event: { auditID: 'a', verb: 'DELETE', user: { username: 'eve' } },
              message: 'eve deleted',
              alert: true,
            },
            { name: 'two', event: '{"AuditID": "a", "Verb": "delete"}' },
          ],
          mustNotFind: [{ name: 'three', event: { verb: 'list' } }],
        },
      ],
    },
  });
  expect(diagnostics).toEqual([]);
  expect(results).toMatchObject([
    {
      test: 'RuleTest/t spec.tests[0].mustFind[0]',
      name: 'one',
      passed: true,
      findings: [{ rule: deletes, alert: true, message: 'eve deleted' }],
    },
    { test: 'RuleTest/t spec.tests[0].mustFind[1]', passed: true },
    {
      test: 'RuleTest/t spec.tests[0].mustNotFind[0]',
      passed: true,
      findings: [
        { rule: 'alerting-rule.quiet', alert: false },
        { rule: 'alerting-rule.silent', alert: false },
      ],
    },
  ]);
});

it.each<[string, Resource, string]>([
  [
    'an event that no rule finds',
    { rule: deletes, mustFind: [{ event: { verb: 'watch' } }] },
    'expected `alerting-rule.deletes` to find it, found by no rule',
  ],
  [
    'an event that another rule finds',
    { rule: deletes, mustFind: [{ event: { verb: 'list' } }] },
    'found by alerting-rule.quiet, alerting-rule.silent',
  ],
  [
    'an event that is found though it must not be',
    { rule: deletes, mustNotFind: [{ event: { verb: 'delete' } }] },
    'not to find it, it did',
  ],
  [
    'another message',
    { rule: deletes, mustFind: [{ event: { verb: 'delete' }, message: 'x' }] },
    'expected the message "x", got " deleted"',
  ],
  [
    'an alert where none must be',
    { rule: deletes, mustFind: [{ event: { verb: 'delete' }, alert: false }] },
    'expected no alert, got one',
  ],
  [
    'no alert where one must be',
    { rule: 'alerting-rule.quiet', mustFind: [{ event: { verb: 'list' }, alert: true }] },
    'expected an alert, got none',
  ],
  [
    'a rule that is not there, even for what it must not find',
    { rule: 'gone', mustNotFind: [{ event: { verb: 'get' } }] },
    'there is no rule `gone`',
  ],
  [
    'a rule that is switched off',
    { rule: 'alerting-rule.off', mustNotFind: [{ event: { verb: 'list' } }] },
    'is not in force: it is not enabled',
  ],
  [
    'a rule that is left out',
    { rule: 'alerting-rule.broken', mustNotFind: [{ event: { verb: 'list' } }] },
    'is not in force: expected a text',
  ],
])('fails %s', (_what, test, message) => {
  const { messages, problems } = run([test]);
  expect(problems).toEqual([]);
  expect(messages).toEqual([expect.stringContaining(message)]);
});

it.each<[string, Resource, string]>([
  ['a test without events', { rule: deletes }, 'spec.tests: expected events'],
  ['a test without a rule', { mustFind: [{ event: {} }] }, 'spec.tests[0].rule: expected the name'],
  [
    'a misspelt list',
    { rule: deletes, mustfind: [{ event: {} }], mustNotFind: [{ event: {} }] },
    'spec.tests[0].mustfind: expected rule, mustFind, mustNotFind',
  ],
  [
    'an event that is not there',
    { rule: deletes, mustFind: [{ name: 'x' }] },
    'spec.tests[0].mustFind[0].event: expected an event',
  ],
  [
    'null for an event',
    { rule: deletes, mustFind: [{ event: null }] },
    'spec.tests[0].mustFind[0].event: expected an event',
  ],
  [
    'an event that is no JSON',
    { rule: deletes, mustFind: [{ event: '{"verb":' }] },
    'spec.tests[0].mustFind[0].event: expected an event: ',
  ],
  [
    'an event that is no object',
    { rule: deletes, mustFind: [{ event: ['verb'] }] },
    'expected an event, which is a JSON object',
  ],
  [
    'a message for what must not be found',
    { rule: deletes, mustNotFind: [{ event: {}, message: 'x' }] },
    'spec.tests[0].mustNotFind[0].message: expected name, event',
  ],
])('reports %s, so that it does not pass unnoticed', (_what, test, problem) => {
  expect(run([test]).problems).toContainEqual(expect.stringContaining(problem));
});

it.each<[string, Resource]>([
  ['a rule', { mustNotFind: [{ event: {} }] }],
  ['an event', { rule: deletes, mustNotFind: [{ name: 'x' }, { event: '{' }] }],
])('runs nothing without %s', (_what, test) => {
  expect(run([test]).messages).toEqual([]);
});

it('fails a rule whose resource no selector picks', () => {
  const idle = buildRuleSet({
    rules: [ruleResource('other', [rule('x', 'Verb exists')], 'r')],
    webhook,
  });
  const tests = [{ rule: 'r.x', mustNotFind: [{ event: {} }] }];
  expect(runRuleTest(idle, { spec: { tests } }).results).toMatchObject([
    { message: '`r.x` is not in force: no selector of the Webhook resource picks it' },
  ]);
});

it('reports a resource that has no tests', () => {
  expect(runRuleTest(build([]), null)).toMatchObject({
    results: [],
    diagnostics: [{ resource: 'RuleTest/', path: 'spec.tests' }],
  });
});
