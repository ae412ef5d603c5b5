import { join } from 'node:path';
import { describeWith } from '@auditing/service/testing/optional';
import { startAlertmanager, type Alertmanager } from './testing/alertmanager';
import { opened, scratchFolder, type Opened } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { ALL, sampleAlerts, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

jest.setTimeout(90_000);

const SIGNAL = new AbortController().signal;

describeWith('prometheus-alertmanager', 'three instances of an Alertmanager', () => {
  const scratch = scratchFolder();
  let instances: Alertmanager[] = [];
  let service: Opened;

  beforeAll(async () => {
    instances = await Promise.all(
      ['a', 'b', 'c'].map((name) => startAlertmanager(join(scratch.path, name))),
    );
    const urls = instances.map(({ url }) => url).join(',');
    const rule = ruleStub([sampleReceiver('alertmanager', urls)]);
    service = await opened(join(scratch.path, 'data'), rule);
  });
  afterAll(async () => {
    await service.stop();
    await Promise.all(instances.map((one) => one.stop()));
    scratch.remove();
  });

  const shown = (of: Alertmanager, count: number) =>
    until(
      `${count} alerts`,
      async () => {
        const alerts = await of.alerts().catch(() => []);
        return alerts.length === count && alerts;
      },
      40_000,
    );

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

  test('a silence is seen on the alert, and its end too', async () => {
    const [first] = instances as [Alertmanager];
    const now = Date.now();
    const response = await fetch(`${first.url}/api/v2/silences`, {
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
    const silencedBy = async (): Promise<string[]> => {
      const { alerts } = await service.api.list({ ...ALL, name: 'before-0' }, SIGNAL);
      return alerts[0]?.deliveries[0]?.silencedBy ?? [];
    };
    await until('it is silenced', async () => (await silencedBy()).includes(silenceID), 40_000);
    await fetch(`${first.url}/api/v2/silence/${silenceID}`, { method: 'DELETE' });
    await until('it is not any more', async () => (await silencedBy()).length === 0, 40_000);
  });

  test('a test and a probe are seen at each', async () => {
    const tested = await service.api.testReceiver({ receiver: 'alertmanager' }, SIGNAL);
    expect(tested.hops.every(({ ok }) => ok)).toBe(true);
    expect(new Set(tested.hops.map(({ instance }) => instance)).size).toBe(4);
    const probed = await service.api.probe({ receiver: '', waitMs: 30_000 }, SIGNAL);
    expect(probed).toMatchObject({ delivered: true, seenAt: ['alertmanager'] });
  });
});
