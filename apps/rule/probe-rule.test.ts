import { join } from 'node:path';
import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { EventBatch, Priority, Source, type Verdicts } from '@auditing/proto/event';
import { EvaluateRequest } from '@auditing/proto/rule';
import { ruleFolder, type RuleFolder, type RunningRule } from './testing/rule-folder';

const SIGNAL = new AbortController().signal;

let folder: RuleFolder;
let rule: RunningRule;

beforeAll(async () => {
  folder = await ruleFolder();
  rule = await folder.start({ AUDITING_CONFIG_DIR: join(__dirname, '../../config') });
});
afterAll(() => folder.remove());

async function decide(fields: object, probe: boolean): Promise<Verdicts> {
  const { bytes } = decodeEvent(Buffer.from(JSON.stringify(fields)), Source.KUBERNETES);
  const request = EvaluateRequest.create({
    batch: EventBatch.create({ eventCount: 1 }),
    documents: [{ event: 0, json: bytes }],
    probe,
  });
  const { verdicts } = await rule.client.evaluate(request, SIGNAL);
  return verdicts!;
}

const PROBE = {
  auditID: 'probe-1',
  verb: 'probe',
  user: { username: 'system:auditing:probe' },
  objectRef: { resource: 'probes', name: 'probe-1' },
};

test('the event of a probe raises the alert of probes, whatever rules there are', async () => {
  const { version } = await rule.client.getRuleSet({}, SIGNAL);
  const message = 'Probe probe-1: somebody asked whether audit alerts arrive. Nothing happened.';
  expect(await decide(PROBE, true)).toMatchObject({
    ruleSetVersion: version,
    rules: [{ name: 'auditing.AuditingProbe', priority: Priority.INFO }],
    verdicts: [{ event: 0, findings: [{ rule: 0, alert: true, message }] }],
  });
});

test('an event that only looks like one raises none, and the rule of probes finds nothing else', async () => {
  const forged = await decide(PROBE, false);
  const findings = forged.verdicts.flatMap((verdict) => verdict.findings);
  expect(findings.filter(({ alert }) => alert)).toEqual([]);
  const other = await decide({ ...PROBE, user: { username: 'admin' } }, true);
  expect(other).toMatchObject({ ignoredCount: 1, verdicts: [] });
});
