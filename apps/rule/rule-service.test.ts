import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { buildColumns } from '@auditing/audit-event/columns';
import { rememberDecoded } from '@auditing/audit-event/decoded-batch';
import { decodeEvent, type DecodedEvent } from '@auditing/audit-event/decoded-event';
import { EventBatch, Field, Priority, Source } from '@auditing/proto/event';
import { EvaluateRequest, Severity, type RuleSet } from '@auditing/proto/rule';
import { streamCalls } from '@auditing/service/stream-call';
import { hasSettingsTable } from '@auditing/service/testing/readme';
import { SETTINGS } from './config';
import { evaluateBatch } from './evaluate';
import { RuleSets } from './rule-sets';
import { resourceDocuments } from './resource-documents';
import {
  ruleFolder,
  ruleYaml,
  until,
  type RuleFolder,
  type RunningRule,
} from './testing/rule-folder';

const never = new AbortController().signal;
const shipped = join(__dirname, '../../config');

function event(fields: object): DecodedEvent {
  return decodeEvent(Buffer.from(JSON.stringify(fields)), Source.KUBERNETES);
}

const exec = event({
  auditID: '1',
  verb: 'create',
  user: { username: 'alice' },
  objectRef: { resource: 'pods', subresource: 'exec', name: 'web', namespace: 'shop' },
});
const read = event({
  auditID: '2',
  verb: 'get',
  user: { username: 'bob' },
  objectRef: { resource: 'pods' },
});
const hostPod = event({
  auditID: '3',
  verb: 'create',
  user: { username: 'carol' },
  objectRef: { resource: 'pods', name: 'net', namespace: 'shop' },
  requestObject: { spec: { hostNetwork: true } },
});
const events = [exec, read, hostPod];

/** What the gateway sends: the columns, and whole events where the projection asks for them. */
function request(set: RuleSet, isWhole: (event: DecodedEvent) => boolean): EvaluateRequest {
  return EvaluateRequest.create({
    batch: EventBatch.create({
      eventCount: events.length,
      columns: buildColumns(events, set.projection?.fields ?? []),
    }),
    projectionVersion: set.version,
    documents: events.flatMap(({ bytes }, index) => {
      const one = events[index];
      return one && isWhole(one) ? [{ event: index, json: bytes }] : [];
    }),
  });
}

describe('the shipped rules', () => {
  let folder: RuleFolder;
  let rule: RunningRule;
  let set: RuleSet;

  beforeAll(async () => {
    folder = await ruleFolder();
    rule = await folder.start({ AUDITING_CONFIG_DIR: shipped });
    set = await rule.client.getRuleSet({}, never);
  });

  afterAll(() => folder.remove());

  const expected = {
    ruleSetVersion: expect.any(String) as string,
    ignoredCount: 1,
    rules: expect.arrayContaining([
      {
        name: 'alerting-rule.AttachOrExecPod',
        priority: Priority.WARNING,
        output: [],
      },
    ]) as object[],
  };

  test('load without a complaint', () => {
    expect(set.diagnostics).toEqual([]);
    expect(set.ruleCount).toBe(8);
  });

  test('find the exec and the host network, and leave the read out', async () => {
    const { verdicts } = await rule.client.evaluate(
      request(set, () => true),
      never,
    );
    expect(verdicts).toMatchObject(expected);
    const found = verdicts?.verdicts.map(({ event: index, findings }) => [
      index,
      ...findings.filter(({ alert }) => alert).map((finding) => verdicts.rules[finding.rule]?.name),
    ]);
    expect(found).toEqual([
      [0, 'alerting-rule.AttachOrExecPod'],
      [2, 'alerting-rule.CreateHostnetworkPod'],
    ]);
    const [finding] = verdicts?.verdicts[0]?.findings ?? [];
    expect(finding?.message).toBe('alice exec Pod web in Namespace shop.');
  });

  test('give messages of what raises no alert to tools, which send whole events, and not to gateways', async () => {
    const messages = async (asked: EvaluateRequest): Promise<readonly string[]> => {
      const { verdicts } = await rule.client.evaluate(asked, never);
      const quiet = verdicts?.verdicts[0]?.findings.filter(({ alert }) => !alert) ?? [];
      return quiet.map(({ message }) => message);
    };
    const whole = request(set, () => true);
    expect(await messages(whole)).toEqual(['', '']);
    const batch = EventBatch.create({ eventCount: events.length });
    expect(await messages({ ...whole, batch, projectionVersion: '' })).toEqual([
      "alice create pods 'web' in Namespace shop",
      '',
    ]);
  });

  test('say the same over the stream, and in this process of events that are not sent at all', async () => {
    const remote = await rule.client.evaluate(
      request(set, () => true),
      never,
    );
    const calls = streamCalls(rule.client.evaluateStream, { window: 4, deadlineMs: 10_000 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        calls.call(
          request(set, () => true),
          never,
        ),
      ),
    );
    calls.close();
    for (const answer of answers) expect(answer.verdicts).toEqual(remote.verdicts);

    const ruleSets = new RuleSets();
    const { rules, webhooks } = await resources();
    const { compiled } = ruleSets.replace({
      generation: 1,
      hash: '',
      resources: { rules, webhook: webhooks[0] },
    });
    // Not by `create`, which copies: the events are known by the very batch.
    const batch = EventBatch.create({ eventCount: events.length });
    const asking: EvaluateRequest = { ...EvaluateRequest.create(), batch };
    rememberDecoded(batch, events);
    const local = await evaluateBatch({ ruleSet: compiled, workspaces: undefined }, asking, never);
    expect(local).toEqual(remote.verdicts);
    const signal = AbortSignal.abort();
    await expect(
      evaluateBatch(
        { ruleSet: compiled, workspaces: undefined },
        EvaluateRequest.create({ batch }),
        signal,
      ),
    ).rejects.toThrow();
  });

  test('refuse a batch that lacks what they read, naming the version to wait for', async () => {
    const lacking = EvaluateRequest.create({
      batch: EventBatch.create({ eventCount: 3, columns: buildColumns(events, [Field.USER]) }),
      projectionVersion: 'older',
    });
    const stale = { code: status.FAILED_PRECONDITION, message: set.version };
    await expect(rule.client.evaluate(lacking, never)).rejects.toMatchObject(stale);
    // The right version with too little is no better.
    const lying = { ...lacking, projectionVersion: set.version };
    await expect(rule.client.evaluate(lying, never)).rejects.toMatchObject(stale);
    const metrics = await (await fetch(`${rule.started.addresses['admin'] ?? ''}/metrics`)).text();
    expect(metrics).toContain('auditing_rule_batches_total{outcome="stale"} 2');
    expect(metrics).toMatch(
      /auditing_rule_matches_total\{rule="alerting-rule.AttachOrExecPod"\} [1-9]/,
    );
  });

  test.each<[string, Partial<EvaluateRequest>, RegExp]>([
    ['no batch', {}, /batch: expected the events/],
    ['nothing of the events', { batch: EventBatch.create({ eventCount: 2 }) }, /block/],
    [
      'a document that is no JSON',
      {
        batch: EventBatch.create({ eventCount: 1 }),
        documents: [{ event: 0, json: Buffer.from('{"verb":') }],
      },
      /batch: /,
    ],
    [
      'a count that is no count',
      {
        batch: EventBatch.create({ eventCount: 4_000_000_000 }),
        projectionVersion: 'x',
        documents: [{ event: 0, json: Buffer.from('{}') }],
      },
      /event_count|^[0-9a-f]{64}$/,
    ],
  ])('refuse a request with %s for good', async (_name, fields, message) => {
    await expect(rule.client.evaluate(EvaluateRequest.create(fields), never)).rejects.toThrow(
      message,
    );
  });

  async function resources(): Promise<ReturnType<typeof resourceDocuments>> {
    const rules = ['alerting-rule', 'archiving-rule', 'workload-rule'];
    const names = ['webhook.yaml', ...rules.map((name) => `rules/${name}.yaml`)];
    const texts = await Promise.all(names.map((name) => readFile(join(shipped, name), 'utf8')));
    return resourceDocuments(texts.join('\n---\n'), 'shipped');
  }
});

describe('the other calls', () => {
  let folder: RuleFolder;
  let rule: RunningRule;

  beforeEach(async () => {
    folder = await ruleFolder();
    await folder.write('a.yaml', ruleYaml('a', 'Verb = "create"'));
    rule = await folder.start();
  });

  afterEach(() => folder.remove());

  test('Check says what is wrong and where, and loads nothing', async () => {
    const yaml = `${ruleYaml('good', 'Verb = "get"')}---\n${ruleYaml('bad', 'Verb in (')}`;
    const { diagnostics, ruleCount } = await rule.client.check({ yaml }, never);
    expect(ruleCount).toBe(1);
    expect(diagnostics).toMatchObject([{ severity: Severity.ERROR, resource: 'Rule/bad' }]);
    const broken = await rule.client.check({ yaml: 'a: [\nb: 1' }, never);
    expect(broken.diagnostics[0]).toMatchObject({ severity: Severity.ERROR, resource: 'yaml' });
    expect(broken.diagnostics[0]?.line).toBeGreaterThan(0);
    expect((await rule.client.listRules({}, never)).rules).toHaveLength(1);
  });

  test('Check survives what is no resource and what would be huge', async () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'
        .split('')
        .map((name, index) => `${name}: &${name} [${`*${'abcdefghi'[index] ?? ''},`.repeat(9)}]`),
    ].join('\n');
    for (const yaml of [
      '',
      '7',
      '- a\n- b',
      'null',
      '{}',
      bomb,
      '\u0000',
      '__proto__: {kind: Rule}',
    ]) {
      const { ruleCount } = await rule.client.check({ yaml }, never);
      expect(ruleCount).toBe(0);
    }
  });

  test('a comparison that meets the wrong type counts for its rule alone, in ListRules and in the metrics', async () => {
    await folder.write('b.yaml', ruleYaml('b', 'User.username > 5'));
    await until(async () => (await rule.client.listRules({}, never)).rules.length === 2);
    const set = await rule.client.getRuleSet({}, never);
    await rule.client.evaluate(
      request(set, () => true),
      never,
    );
    const { rules } = await rule.client.listRules({}, never);
    expect(rules.map(({ name, typeMismatchCount }) => [name, typeMismatchCount])).toEqual([
      ['a.one', 0n],
      ['b.one', 3n],
    ]);
    const metrics = await (await fetch(`${rule.started.addresses['admin'] ?? ''}/metrics`)).text();
    expect(metrics).toContain('auditing_rule_type_mismatches_total{rule="b.one"} 3');
    expect(metrics).toContain('auditing_rule_type_mismatches_total{rule="a.one"} 0');
  });

  test('a rule that cannot be read is left out alone, and counted', async () => {
    await folder.write('b.yaml', ruleYaml('b', 'Verb in ('));
    await until(async () => (await rule.client.listRules({}, never)).rules.length === 2);
    const { rules } = await rule.client.listRules({}, never);
    expect(rules).toMatchObject([
      { name: 'a.one', active: true, diagnostics: [] },
      {
        name: 'b.one',
        active: false,
        diagnostics: [
          { severity: Severity.ERROR, line: 1, column: 10, excerpt: 'Verb in (\n         ^' },
        ],
      },
    ]);
    const metrics = await (await fetch(`${rule.started.addresses['admin'] ?? ''}/metrics`)).text();
    expect(metrics).toContain('auditing_rule_diagnostics{severity="error"} 1');
  });

  test('ListRules counts over changes of the rule set', async () => {
    const set = await rule.client.getRuleSet({}, never);
    await rule.client.evaluate(
      request(set, () => true),
      never,
    );
    await folder.write('b.yaml', ruleYaml('b', 'Verb = "create"'));
    await until(async () => (await rule.client.listRules({}, never)).rules.length === 2);
    const { rules } = await rule.client.listRules({}, never);
    expect(rules.map(({ name, matchCount }) => [name, matchCount])).toEqual([
      ['a.one', 2n],
      ['b.one', 0n],
    ]);
  });
});

test('the README has the table of settings', async () => {
  const readme = await readFile(join(__dirname, 'README.md'), 'utf8');
  expect(hasSettingsTable(readme, SETTINGS)).toBe(true);
});
