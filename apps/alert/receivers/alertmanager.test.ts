import { join } from 'node:path';
import { DeliveryState } from '@auditing/proto/alert';
import { describeWith } from '@auditing/service/testing/optional';
import {
  freePort,
  startAlertmanager,
  type Alertmanager,
  type ShownAlert,
} from '../testing/alertmanager';
import { opened, scratchFolder, type Opened } from '../testing/opened';
import { ruleStub } from '../testing/rule-stub';
import { ALL, sampleAlert, sampleAlerts, sampleReceiver, sampleRequest } from '../testing/samples';
import { until } from '../testing/until';
import { fingerprintOf } from './fingerprint';

const SIGNAL = new AbortController().signal;

describeWith('prometheus-alertmanager', 'alertmanager receiver', () => {
  const scratch = scratchFolder();
  const running: Alertmanager[] = [];
  let service: Opened;
  let folders = 0;

  afterEach(async () => {
    await service.stop();
    await Promise.all(running.splice(0).map((one) => one.stop()));
  });
  afterAll(() => scratch.remove());

  const start = async (options = {}): Promise<Alertmanager> => {
    folders += 1;
    const one = await startAlertmanager(join(scratch.path, `alertmanager-${folders}`), options);
    running.push(one);
    return one;
  };
  const open = async (url: string, folder = String(folders)): Promise<Opened> => {
    service = await opened(
      join(scratch.path, `data-${folder}`),
      ruleStub([sampleReceiver('alertmanager', url)]),
    );
    return service;
  };
  const shown = (alertmanager: Alertmanager, count: number): Promise<ShownAlert[]> =>
    until(`${count} alerts`, async () => {
      const alerts = await alertmanager.alerts().catch(() => []);
      return alerts.length === count && alerts;
    });
  const delivered = (count: number): Promise<boolean> =>
    until(`${count} are delivered`, async () => {
      const { alerts } = await service.api.list(ALL, SIGNAL);
      const taken = alerts.filter(
        ({ deliveries }) => deliveries[0]?.state === DeliveryState.DELIVERED,
      );
      return taken.length === count;
    });

  test('brings an alert with the labels that KubeSphere knows, firing from now on', async () => {
    const alertmanager = await start();
    await open(alertmanager.url);
    await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
    const [alert] = await shown(alertmanager, 1);
    expect(alert?.labels).toEqual({
      alertname: 'AttachOrExecPod',
      alerttype: 'auditing',
      namespace: 'default',
      resource: 'pods',
      name: 'web',
      user: 'admin',
      group: '["system:masters","system:authenticated"]',
      verb: 'create',
      requestReceivedTimestamp: '2024-11-23 16:57:47.177852 +0000 UTC',
    });
    expect(alert?.annotations).toMatchObject({
      message: 'admin exec Pod web in Namespace default.',
      priority: 'WARNING',
      severity: 'warning',
      auditID: 'audit-web',
      rule: 'alerting-rule.AttachOrExecPod',
    });
    expect(Date.parse(alert?.startsAt ?? '')).toBe(Date.parse('2024-11-23T16:57:47.177Z'));
    expect(Date.parse(alert?.endsAt ?? '')).toBeGreaterThan(Date.now() + 9 * 60_000);
    expect(alert?.fingerprint).toBe(fingerprintOf(alert?.labels ?? {}));
    await delivered(1);
  });

  test('brings what was raised while it was away, even if the service was restarted meanwhile', async () => {
    const alertmanager = await start();
    await alertmanager.stop();
    await open(alertmanager.url, 'away');
    await service.api.raise(sampleRequest(1, sampleAlerts('pod', 100)), SIGNAL);
    await service.stop();
    await open(alertmanager.url, 'away');
    await service.api.raise(sampleRequest(1, sampleAlerts('pod', 100)), SIGNAL);
    await alertmanager.start();
    const alerts = await shown(alertmanager, 100);
    expect(new Set(alerts.map(({ fingerprint }) => fingerprint)).size).toBe(100);
    await delivered(100);
  });

  test('brings every alert to each of several instances, and waits for none that is away', async () => {
    const [first, second] = [await start(), await start()];
    await open(`${first.url},${second.url}`);
    await service.api.raise(sampleRequest(1, [sampleAlert('both')]), SIGNAL);
    await shown(first, 1);
    await shown(second, 1);

    await second.stop();
    await service.api.raise(sampleRequest(2, sampleAlerts('one', 70)), SIGNAL);
    await delivered(71);
    await shown(first, 71);
    await second.start();
    const repaired = await shown(second, 70);
    expect(repaired.every(({ labels }) => labels['name'] !== 'both')).toBe(true);
  });

  test('learns of the other instances from the one it knows', async () => {
    const port = await freePort();
    const gossip = await freePort();
    const known = await start({ host: '127.0.0.2', port, clusterListen: `127.0.0.2:${gossip}` });
    const other = await start({
      host: '127.0.0.3',
      port,
      clusterListen: `127.0.0.3:${gossip}`,
      clusterPeer: `127.0.0.2:${gossip}`,
    });
    await until('they know each other', async () => {
      const response = await fetch(`${known.url}/api/v2/status`);
      const status = (await response.json()) as { cluster: { peers: unknown[] } };
      return status.cluster.peers.length === 2;
    });
    await open(known.url);
    await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
    await shown(known, 1);
    await shown(other, 1);
  }, 300_000);
});
