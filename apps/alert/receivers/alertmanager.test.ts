import { join } from 'node:path';
import { DeliveryState } from '@auditing/proto/alert';
import { describeWith } from '@auditing/service/testing/optional';
import { startAlertmanager, type Alertmanager } from '../testing/alertmanager';
import { opened, scratchFolder, type Opened } from '../testing/opened';
import { ruleStub } from '../testing/rule-stub';
import { sampleAlert, sampleReceiver, sampleRequest } from '../testing/samples';
import { until } from '../testing/until';

const SIGNAL = new AbortController().signal;

describeWith('prometheus-alertmanager', 'alertmanager receiver', () => {
  const scratch = scratchFolder();
  let alertmanager: Alertmanager;
  let service: Opened;

  beforeAll(async () => {
    alertmanager = await startAlertmanager(join(scratch.path, 'a'));
  });
  afterAll(async () => {
    await alertmanager.stop();
    scratch.remove();
  });
  afterEach(() => service.stop());

  test('brings an alert with the labels that KubeSphere knows, firing from now on', async () => {
    const rule = ruleStub([sampleReceiver('alertmanager', alertmanager.url)]);
    service = await opened(join(scratch.path, 'labels'), rule);
    await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
    const [shown] = await until('an alert', async () => {
      const alerts = await alertmanager.alerts();
      return alerts.length > 0 && alerts;
    });
    expect(shown?.labels).toEqual({
      alertname: 'AttachOrExecPod',
      alerttype: 'auditing',
      namespace: 'default',
      resource: 'pods',
      name: 'web',
      user: 'admin',
      group: '["system:masters","system:authenticated"]',
      verb: 'create',
      requestReceivedTimestamp: '2026-11-23 16:57:47.177852 +0000 UTC',
    });
    expect(shown?.annotations).toMatchObject({
      message: 'admin exec Pod web in Namespace default.',
      priority: 'WARNING',
      severity: 'warning',
      auditID: 'audit-web',
      rule: 'alerting-rule.AttachOrExecPod',
    });
    expect(Date.parse(shown?.startsAt ?? '')).toBe(Date.parse('2026-11-23T16:57:47.177Z'));
    expect(Date.parse(shown?.endsAt ?? '')).toBeGreaterThan(Date.now() + 9 * 60_000);
    const { alerts } = await service.api.list({ rule: '', limit: 0 }, SIGNAL);
    expect(alerts[0]?.deliveries[0]).toMatchObject({
      state: DeliveryState.DELIVERED,
      attemptCount: 1,
    });
  });
});
