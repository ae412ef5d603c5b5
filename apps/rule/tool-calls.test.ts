import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ExplainRequest,
  ExplanationKind,
  Severity,
  TestRequest,
  type TestResponse,
} from '@auditing/proto/rule';
import { status } from '@grpc/grpc-js';
import { RuleSets } from './rule-sets';
import { testRules } from './test-rules';
import { ruleFolder, ruleYaml, type RuleFolder, type RunningRule } from './testing/rule-folder';

const never = new AbortController().signal;
const config = join(__dirname, '../../config');

/** The texts of all files of a folder below config/, as one stream of YAML. */
async function shipped(folder: string): Promise<string> {
  const names = await readdir(join(config, folder));
  const texts = names.map((name) => readFile(join(config, folder, name), 'utf8'));
  return (await Promise.all(texts)).join('\n---\n');
}

function failed({ results }: TestResponse): string[] {
  return results.filter(({ passed }) => !passed).map(({ name, message }) => `${name}: ${message}`);
}

const oneTest = (name: string, verb: string): string => `
apiVersion: auditing.kubesphere.io/v1alpha1
kind: RuleTest
metadata: { name: mine }
spec:
  tests:
    - rule: ${name}.one
      mustFind: [{ name: mine, event: { verb: ${verb} } }]
`;

describe('on the shipped rules', () => {
  let folder: RuleFolder;
  let rule: RunningRule;

  beforeAll(async () => {
    folder = await ruleFolder();
    rule = await folder.start({ AUDITING_CONFIG_DIR: config });
  });
  afterAll(() => folder.remove());

  test('Test passes all of the shipped tests, and counts nothing', async () => {
    const tests = await shipped('tests');
    const response = await rule.client.test({ tests, rules: '' }, never);
    expect(failed(response)).toEqual([]);
    expect(response.diagnostics).toEqual([]);
    expect(response.passedCount).toBeGreaterThan(50);
    const { rules } = await rule.client.listRules({}, never);
    expect(rules.map(({ matchCount }) => matchCount)).toEqual(rules.map(() => 0n));
    const tested = new Set(response.results.flatMap(({ findings }) => findings.map((f) => f.rule)));
    expect([...tested].sort()).toEqual(rules.map(({ name }) => name));
  });

  test('Check warns of each that reads a body at a level without bodies, and of nothing else', async () => {
    const webhook = `
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Webhook
metadata: { name: kube-auditing-webhook }
spec: { auditLevel: Metadata }
`;
    const yaml = `${await shipped('rules')}\n---${webhook}`;
    const { diagnostics, ruleCount } = await rule.client.check({ yaml }, never);
    expect(ruleCount).toBe(8);
    const { rules } = await rule.client.listRules({}, never);
    const readers = rules.filter(({ condition }) =>
      /RequestObject|\$\{(?:cronP|p)od\}\./.test(condition),
    );
    expect(diagnostics).toHaveLength(readers.length);
    for (const { severity, message } of diagnostics) {
      expect(severity).toBe(Severity.WARNING);
      expect(message).toContain('reads RequestObject, which the auditLevel Metadata removes');
    }
    expect(readers.map(({ name }) => name)).toEqual([
      'alerting-rule.CreateHostnetworkPod',
      'alerting-rule.CreateHostportPod',
      'alerting-rule.CreateNodeportService',
      'workload-rule.CreateHostnetworkWorkload',
      'workload-rule.CreateHostportWorkload',
    ]);
  });

  test('Test fails when a rule loses what it must find', async () => {
    const rules = (await shipped('rules')).replace(
      'Verb in ("create", "get") and',
      '${create} and',
    );
    const response = await rule.client.test({ tests: await shipped('tests'), rules }, never);
    expect(failed(response)).toEqual([
      expect.stringContaining('exec over WebSocket: expected `alerting-rule.AttachOrExecPod`'),
      expect.stringContaining('attach over WebSocket'),
    ]);
    expect(response).toMatchObject({ failedCount: 2, diagnostics: [] });
  });

  test('Explain shows each part of the condition with what it saw', async () => {
    const event = Buffer.from(
      JSON.stringify({
        verb: 'create',
        objectRef: { resource: 'pods' },
        requestObject: { spec: { containers: [{}, { ports: [{ hostPort: 80 }] }] } },
      }),
    );
    const request = { event, rule: 'alerting-rule.CreateHostportPod', rules: '' };
    const { explanation, active } = await rule.client.explain(request, never);
    expect(active).toBe(true);
    expect(explanation).toMatchObject({ kind: ExplanationKind.AND, holds: true });
    const tests = [explanation, ...(explanation?.parts ?? [])]
      .flatMap((part) => part?.parts ?? [])
      .filter(({ kind }) => kind === ExplanationKind.TEST)
      .map(({ text, holds, values }) => [text, holds, ...values]);
    expect(tests).toContainEqual(['ObjectRef.Resource = "pods"', true, '"pods"']);
    expect(tests).toContainEqual([
      'RequestObject.spec.containers[*].ports[*].hostPort > 0',
      true,
      '80',
    ]);
    expect(tests).toContainEqual([
      'RequestObject.spec.initContainers[*].ports[*].hostPort > 0',
      false,
    ]);
    const { rules } = await rule.client.listRules({}, never);
    expect(rules.every(({ matchCount }) => matchCount === 0n)).toBe(true);
  });

  test.each<[string, Partial<ExplainRequest>, object]>([
    [
      'an event that is no JSON',
      { event: Buffer.from('{'), rule: 'alerting-rule.ResourceChange' },
      { code: status.INVALID_ARGUMENT, message: expect.stringMatching(/^event: /) as string },
    ],
    [
      'an event that is not there',
      { rule: 'alerting-rule.ResourceChange' },
      { code: status.INVALID_ARGUMENT },
    ],
    [
      'a rule that is not there',
      { event: Buffer.from('{}'), rule: 'ResourceChange' },
      {
        code: status.NOT_FOUND,
        message: expect.stringContaining('alerting-rule.ResourceChange') as string,
      },
    ],
    [
      'a rule that is left out',
      { event: Buffer.from('{}'), rule: 'bad.one', rules: ruleYaml('bad', 'Verb in (') },
      { code: status.NOT_FOUND, message: expect.stringContaining('is left out') as string },
    ],
  ])('Explain refuses %s', async (_what, request, error) => {
    const refused = rule.client.explain(ExplainRequest.fromPartial(request), never);
    await expect(refused).rejects.toMatchObject(error);
  });

  test('Explain takes rules that are not in force, also one that no selector picks', async () => {
    const event = Buffer.from('{"verb":"get"}');
    const explain = (rules: string): Promise<unknown> =>
      rule.client.explain({ event, rule: 'mine.one', rules }, never);
    const text = ruleYaml('mine', 'Verb = "get"');
    expect(await explain(text)).toMatchObject({ active: true, explanation: { holds: true } });
    const idle = ruleYaml('mine', 'not (Verb = "get")', 'other');
    expect(await explain(idle)).toMatchObject({
      active: false,
      explanation: { kind: ExplanationKind.NOT, holds: false, parts: [{ holds: true }] },
    });
  });

  test('Test takes rules with the tests or beside them, and says what is wrong with either', async () => {
    const rules = ruleYaml('mine', 'Verb = "get"');
    const run = (request: Partial<TestRequest>): Promise<TestResponse> =>
      rule.client.test(TestRequest.fromPartial(request), never);
    expect(await run({ tests: oneTest('mine', 'get'), rules })).toMatchObject({ passedCount: 1 });
    expect(await run({ tests: `${rules}---${oneTest('mine', 'get')}` })).toMatchObject({
      passedCount: 1,
      diagnostics: [],
    });
    expect(failed(await run({ tests: oneTest('mine', 'list') }))).toEqual([
      'mine: there is no rule `mine.one`',
    ]);
    const broken = await run({
      tests: oneTest('mine', 'get'),
      rules: ruleYaml('mine', 'Verb in ('),
    });
    expect(broken.diagnostics).toMatchObject([
      { severity: Severity.ERROR, resource: 'Rule/mine', path: 'spec.rules[0].condition' },
    ]);
    expect(failed(broken)).toEqual([expect.stringContaining('is not in force')]);
    const unreadable = await run({ tests: 'a: [' });
    expect(unreadable.results).toEqual([]);
    expect(unreadable.diagnostics[0]).toMatchObject({ resource: 'tests', line: 1 });
  });
});

test('before the first rule set there is nothing to explain, and only own rules to test', async () => {
  const folder = await ruleFolder();
  try {
    const rule = await folder.start();
    const unavailable = { code: status.UNAVAILABLE };
    const event = Buffer.from('{}');
    const tests = oneTest('mine', 'get');
    const rules = ruleYaml('mine', 'Verb = "get"');
    const explaining = rule.client.explain({ event, rule: 'mine.one', rules: '' }, never);
    await expect(explaining).rejects.toMatchObject(unavailable);
    await expect(rule.client.test({ tests, rules: '' }, never)).rejects.toMatchObject(unavailable);
    expect(await rule.client.test({ tests, rules }, never)).toMatchObject({ passedCount: 1 });
  } finally {
    await folder.remove();
  }
});

test('a Webhook resource among the tests decides over the rules in force', () => {
  const ruleSets = new RuleSets();
  const resource = {
    metadata: { name: 'mine', labels: { type: 'odd' } },
    spec: { rules: [{ name: 'one', type: 'rule', enable: true, condition: 'Verb = "get"' }] },
  };
  const { stored } = ruleSets.replace({
    generation: 1,
    hash: '',
    resources: { rules: [resource], webhook: undefined },
  });
  const webhook = `
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Webhook
spec: { auditSinkPolicy: { alertingRuleSelector: { matchLabels: { type: odd } } } }
`;
  const run = (text: string): number =>
    testRules({ tests: oneTest('mine', 'get') + text, rules: '' }, stored.resources).passedCount;
  expect(run('')).toBe(0);
  expect(run(`---${webhook}`)).toBe(1);
});
