import { join } from 'node:path';
import { DeliveryState } from '@auditing/proto/alert';
import { describeWith } from '@auditing/service/testing/optional';
import { startCluster, type Alertmanager } from './testing/alertmanager';
import { opened, scratchFolder, type Opened } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { ALL, sampleAlert, sampleAlerts, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

jest.setTimeout(300_000);

const SIGNAL = new AbortController().signal;

/** Who is told of a node that is down is not told of what happens on it. */
const CONFIG = `
route: { receiver: none }
receivers: [{ name: none }]
inhibit_rules:
  - source_matchers: [alertname="NodeDown"]
    target_matchers: [alertname="AttachOrExecPod"]
    equal: [name]
`;

describeWith('prometheus-alertmanager', 'three Alertmanagers that gossip', () => {
  const scratch = scratchFolder();
  let instances: Alertmanager[] = [];
  let service: Opened;

  beforeAll(async () => {
    instances = await startCluster(join(scratch.path, 'cluster'), 3, { config: CONFIG });
    await open();
  });
  afterAll(async () => {
    await service.stop();
    await Promise.all(instances.map((one) => one.stop()));
    scratch.remove();
  });

  const open = async (): Promise<void> => {
    const urls = instances.map(({ url }) => url).join(',');
    const rule = ruleStub([sampleReceiver('alertmanager', urls)]);
    service = await opened(join(scratch.path, 'data'), rule);
  };
  const shown = (of: Alertmanager, count: number) =>
    until(`${count} alerts`, async () => {
      const alerts = await of.alerts().catch(() => []);
      return alerts.length === count && alerts;
    });
  const deliveriesOf = async (name: string) => {
    const { alerts } = await service.api.list({ ...ALL, name }, SIGNAL);
    return alerts[0]?.deliveries[0];
  };

  test('each has every alert once, also the one that was away and the one that forgot them', async () => {
    const [first, second, third] = instances as [Alertmanager, Alertmanager, Alertmanager];
    await service.api.raise(sampleRequest(1, sampleAlerts('before', 5)), SIGNAL);
    await Promise.all(instances.map((one) => shown(one, 5)));
    await third.stop();
    await service.api.raise(sampleRequest(2, sampleAlerts('meanwhile', 5)), SIGNAL);
    await Promise.all([first, second].map((one) => shown(one, 10)));
    const before = await first.alerts();
    await third.start();
    const repaired = await shown(third, 10);
    expect(new Set(repaired.map(({ fingerprint }) => fingerprint)).size).toBe(10);
    const endOf = new Map(before.map(({ fingerprint, endsAt }) => [fingerprint, endsAt]));
    for (const { fingerprint, endsAt } of repaired) {
      const wantedMs = Date.parse(endOf.get(fingerprint) ?? '');
      expect(Math.abs(Date.parse(endsAt) - wantedMs)).toBeLessThan(60_000);
    }
  });

  test('one restarted after the other, and all at once, none ends with fewer or with more', async () => {
    const before = new Set((await instances[0]!.alerts()).map(({ fingerprint }) => fingerprint));
    for (const one of instances) {
      await one.stop();
      await one.start();
      await shown(one, 10);
    }
    await Promise.all(instances.map((one) => one.stop()));
    await service.api.raise(sampleRequest(3, [sampleAlert('nobody-there')]), SIGNAL);
    await Promise.all(instances.map((one) => one.start()));
    for (const one of instances) {
      const after = (await shown(one, 11)).map(({ fingerprint }) => fingerprint);
      expect(new Set(after).size).toBe(11);
      expect([...before].filter((fingerprint) => !after.includes(fingerprint))).toEqual([]);
    }
  });

  test('what one is owed, and what it forgot, is known after a restart of the service too', async () => {
    const [first, , third] = instances as [Alertmanager, Alertmanager, Alertmanager];
    await third.stop();
    await service.api.raise(sampleRequest(4, sampleAlerts('owed', 3)), SIGNAL);
    await shown(first, 14);
    await until('they are recorded', async () => {
      const { alerts } = await service.api.list(ALL, SIGNAL);
      return alerts.every(({ deliveries: [one] }) => one?.state === DeliveryState.DELIVERED);
    });
    await service.stop();
    await third.start();
    await open();
    const caughtUp = await shown(third, 14);
    expect(caughtUp.filter(({ labels }) => labels['name']?.startsWith('owed-'))).toHaveLength(3);
  });

  test('a silence of any of them is seen on the alert, and its end too', async () => {
    const third = instances[2]!;
    const now = Date.now();
    const response = await fetch(`${third.url}/api/v2/silences`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        matchers: [{ name: 'name', value: 'before-0', isRegex: false, isEqual: true }],
        startsAt: new Date(now).toISOString(),
        endsAt: new Date(now + 600_000).toISOString(),
        createdBy: 'test',
        comment: 'test',
      }),
    });
    const { silenceID } = (await response.json()) as { silenceID: string };
    const silencedBy = async () => (await deliveriesOf('before-0'))?.silencedBy ?? [];
    await until('it is silenced', async () => (await silencedBy()).includes(silenceID));
    await fetch(`${third.url}/api/v2/silence/${silenceID}`, { method: 'DELETE' });
    await until('it is not any more', async () => (await silencedBy()).length === 0);
  });

  test('an alert for which another one is kept back names that one', async () => {
    const source = sampleAlert('web', { rule: 'nodes.NodeDown' });
    await service.api.raise(sampleRequest(5, [source, sampleAlert('web')]), SIGNAL);
    const first = instances[0]!;
    const reason = await until('the first has the source', async () =>
      (await first.alerts()).find(({ labels }) => labels['alertname'] === 'NodeDown'),
    );
    const inhibited = async () => {
      const { alerts } = await service.api.list({ ...ALL, name: 'web' }, SIGNAL);
      return alerts.map(({ alert, deliveries }) => [alert?.rule, deliveries[0]?.inhibitedBy ?? []]);
    };
    await until('it is seen', async () => (await inhibited()).some(([, by]) => by?.length));
    expect(await inhibited()).toEqual([
      ['alerting-rule.AttachOrExecPod', [reason.fingerprint]],
      ['nodes.NodeDown', []],
    ]);
  });

  test('a test and a probe are seen at each', async () => {
    const tested = await service.api.testReceiver({ receiver: 'alertmanager' }, SIGNAL);
    expect(tested.hops.every(({ ok }) => ok)).toBe(true);
    expect(new Set(tested.hops.map(({ instance }) => instance)).size).toBe(4);
    const probed = await service.api.probe({ receiver: '', waitMs: 30_000 }, SIGNAL);
    expect(probed).toMatchObject({ delivered: true, seenAt: ['alertmanager'] });
    const urls = instances.map(({ url }) => `${url}/`);
    expect(urls).toContain(probed.alert?.deliveries[0]?.acceptedBy);
  });
});
