import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeliveryState, type AlertStatus } from '@auditing/proto/alert';
import { Priority } from '@auditing/proto/event';
import { namesIn, startFaultServer, type FaultServer, type Posted } from './testing/fault-server';
import { opened, scratchFolder, type Opened } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { ALL, sampleAlert, sampleAlerts, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

const SIGNAL = new AbortController().signal;
const QUICK = { AUDITING_ALERT_TRY_TIMEOUT: '300ms' };

/** By what a receiver knows alerts: labels and start for Alertmanager, the id in the header for a webhook. */
function identitiesIn(posted: readonly Posted[]): string[] {
  const all = posted.flatMap(({ body, headers }) =>
    Array.isArray(body)
      ? (body as { labels: object; startsAt: string }[]).map(({ labels, startsAt }) =>
          JSON.stringify([labels, startsAt]),
        )
      : [String(headers['auditing-delivery-id'])],
  );
  return [...new Set(all)];
}

describe('delivery to a server that fails', () => {
  const scratch = scratchFolder();
  let server: FaultServer;
  let service: Opened;
  let folders = 0;

  beforeEach(async () => {
    server = await startFaultServer();
    folders += 1;
  });
  afterEach(async () => {
    await service.stop();
    await server.close();
  });
  afterAll(() => scratch.remove());

  const open = async (type: string, env: Record<string, string> = QUICK): Promise<void> => {
    const rule = ruleStub([sampleReceiver(type, server.url)]);
    service = await opened(join(scratch.path, String(folders)), rule, env);
  };
  const listed = async (): Promise<AlertStatus[]> => (await service.api.list(ALL, SIGNAL)).alerts;
  const settled = (): Promise<AlertStatus[]> =>
    until('every delivery is over', async () => {
      const alerts = await listed();
      const isOver = alerts.every(({ deliveries }) =>
        deliveries.every(({ state }) => state !== DeliveryState.PENDING),
      );
      return isOver && alerts;
    });

  test.each([
    'hang',
    'reset',
    'slow headers',
    { status: 500 },
    { status: 503 },
    { status: 408 },
    { status: 425 },
  ] as const)('tries again after %p until the alert is taken, under the same id', async (fault) => {
    await open('webhook');
    let faults = 2;
    server.behave = () => ((faults -= 1) >= 0 ? fault : { status: 200 });
    await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
    const [alert] = await settled();
    expect(alert?.deliveries[0]).toMatchObject({
      state: DeliveryState.DELIVERED,
      attemptCount: 3,
      lastError: '',
    });
    expect(server.taken).toHaveLength(1);
    const ids = new Set(server.posted.map(({ headers }) => headers['auditing-delivery-id']));
    expect([...ids]).toEqual([alert?.deliveries[0]?.id]);
  });

  test.each(['webhook', 'alertmanager'])(
    'an answer of %s that breaks off after its 200 is none: the alert is sent again as it was',
    async (type) => {
      await open(type);
      server.behave = () => (server.posted.length === 1 ? '200 then crash' : { status: 200 });
      await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
      const [alert] = await settled();
      const [delivery] = alert?.deliveries ?? [];
      expect(delivery).toMatchObject({ state: DeliveryState.DELIVERED, attemptCount: 2 });
      expect(identitiesIn(server.posted)).toHaveLength(1);
    },
  );

  test.each([
    'hang',
    'reset',
    'slow headers',
    { status: 500 },
    { status: 429, headers: { 'retry-after': '1' } },
  ] as const)('an Alertmanager that does %p has each alert once in the end', async (fault) => {
    await open('alertmanager');
    let faults = 2;
    server.behave = () => ((faults -= 1) >= 0 ? fault : { status: 200 });
    await service.api.raise(sampleRequest(1, sampleAlerts('pod', 5)), SIGNAL);
    const alerts = await settled();
    expect(alerts.map(({ deliveries }) => deliveries[0]?.state)).toEqual(
      alerts.map(() => DeliveryState.DELIVERED),
    );
    expect(server.posted.length).toBeGreaterThanOrEqual(3);
    // Labels and starts are the same at each try: to Alertmanager they are the same alerts.
    expect(identitiesIn(server.posted)).toHaveLength(5);
  });

  test.each(['webhook', 'alertmanager'])(
    'waits as long as Retry-After of %s says',
    async (type) => {
      await open(type);
      server.behave = () =>
        server.posted.length === 1
          ? { status: 429, headers: { 'retry-after': '2' } }
          : { status: 200 };
      await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
      await settled();
      const [first, second] = server.posted;
      expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(1_990);
    },
  );

  test('finds the alert that is refused by halves, gives up that one alone and says why', async () => {
    await open('alertmanager');
    const stored = new Set<string>();
    server.behave = (posted) => {
      const names = namesIn(posted);
      // As Alertmanager does it: the good ones of a request are stored even if it is answered 400.
      for (const name of names) if (name !== 'pod-13') stored.add(name);
      return names.includes('pod-13')
        ? { status: 400, text: 'invalid label set' }
        : { status: 200 };
    };
    await service.api.raise(sampleRequest(1, sampleAlerts('pod', 40)), SIGNAL);
    const alerts = await settled();
    const dead = alerts.filter(({ deliveries }) => deliveries[0]?.state === DeliveryState.DEAD);
    expect(dead.map(({ alert }) => alert?.event?.objectRef?.name)).toEqual(['pod-13']);
    expect(dead[0]?.deliveries[0]?.lastError).toBe('HTTP 400: invalid label set');
    // Alone, so that nothing that is taken comes after it: the alert is wrong, not the receiver.
    await service.api.raise(sampleRequest(2, [sampleAlert('pod-13', { rule: 'r.Other' })]), SIGNAL);
    expect((await settled()).map(({ deliveries }) => deliveries[0]?.state)).toContain(
      DeliveryState.DEAD,
    );
    const { receivers } = await service.api.listReceivers({}, SIGNAL);
    expect(receivers).toMatchObject([{ pendingCount: 0, lastError: '' }]);
    expect(stored.size).toBe(39);
    const metrics = await service.runtime.metrics.metrics();
    expect(metrics).toContain(
      'auditing_alert_deliveries_total{receiver="alertmanager",outcome="dead"} 2',
    );
    expect(metrics).toContain(
      'auditing_alert_deliveries_total{receiver="alertmanager",outcome="delivered"} 39',
    );
  });

  test.each([301, 401, 403, 404])(
    'does not give an alert up for a receiver that is set up wrongly (%i), and follows no redirect',
    async (status) => {
      await open('webhook');
      server.behave = () => ({ status, headers: { location: `${server.url}/elsewhere` } });
      await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
      await until('a try', () => server.posted.length > 0);
      const alert = await until('its failure is noted', async () => {
        const [one] = await listed();
        return one?.deliveries[0]?.lastError !== '' && one;
      });
      expect(alert.deliveries[0]).toMatchObject({ state: DeliveryState.PENDING });
      expect(alert.deliveries[0]?.lastError).toContain(`HTTP ${status}`);
      expect(new Set(server.posted.map(({ path }) => path))).toEqual(new Set(['/']));
    },
  );

  test.each(['webhook', 'alertmanager'])(
    'stops at once, however long a %s would take to answer',
    async (type) => {
      server.behave = () => 'hang';
      server.getsHang = true;
      await open(type, { AUDITING_ALERT_TRY_TIMEOUT: '60s' });
      await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
      await sleep(200);
      const startedAt = Date.now();
      await service.stop();
      expect(Date.now() - startedAt).toBeLessThan(30_000);
    },
  );

  test('gives an alert up when it has grown too old', async () => {
    await open('webhook', { ...QUICK, AUDITING_ALERT_MAX_AGE: '500ms' });
    server.behave = () => ({ status: 500, text: 'no' });
    await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
    const [alert] = await settled();
    expect(alert?.deliveries[0]).toMatchObject({ state: DeliveryState.DEAD });
    expect(alert?.deliveries[0]?.lastError).toMatch(/^not taken within 0 h; last: HTTP 500: no$/);
  });

  describe('with an alert that alone makes the receiver fail', () => {
    /** No wait: whatever is due again, is due at once. */
    const noWaits = (): jest.SpyInstance => jest.spyOn(Math, 'random').mockReturnValue(0);
    const namesOf = (alerts: readonly AlertStatus[], wanted: DeliveryState): unknown[] =>
      alerts
        .filter(({ deliveries }) => deliveries[0]?.state === wanted)
        .map(({ alert }) => alert?.event?.objectRef?.name);
    /** Within less than the longest wait of a courier. */
    const delivered = (count: number): Promise<unknown> =>
      until(
        'the others are delivered',
        async () => namesOf(await listed(), DeliveryState.DELIVERED).length === count,
        45_000,
      );
    beforeEach(() => {
      server.behave = (posted) => ({ status: namesIn(posted).includes('pod-0') ? 500 : 200 });
    });
    afterEach(() => jest.restoreAllMocks());

    test('it does not hold up the others, however soon it is due again', async () => {
      noWaits();
      await open('alertmanager', {});
      await service.api.raise(sampleRequest(1, sampleAlerts('pod', 5)), SIGNAL);
      await delivered(4);
      expect(namesOf(await listed(), DeliveryState.PENDING)).toEqual(['pod-0']);
      // One that comes later is not sent together with it, and does not wait for it.
      const seen = server.posted.length;
      await service.api.raise(sampleRequest(2, [sampleAlert('late')]), SIGNAL);
      await delivered(5);
      const later = server.posted.slice(seen).map(namesIn);
      expect(later).toContainEqual(['late']);
      expect(later.filter((names) => names.includes('pod-0') && names.length > 1)).toEqual([]);
    });

    test('one that comes while the courier waits because of it is tried at once', async () => {
      const random = noWaits();
      let drawnBefore = Infinity;
      server.behave = (posted) => {
        if (!namesIn(posted).includes('pod-0')) return { status: 200 };
        // By then it was tried alone. From this answer on it waits for as long as it may: far longer than the test does.
        if (server.posted.length === 13) {
          random.mockReturnValue(1);
          drawnBefore = random.mock.calls.length;
        }
        return { status: 500 };
      };
      await open('alertmanager', {});
      await service.api.raise(sampleRequest(1, [sampleAlert('pod-0')]), SIGNAL);
      // Two waits are drawn in one step: that of the alert, and that of the courier.
      await until('it waits for long', () => random.mock.calls.length >= drawnBefore + 2);
      await service.api.raise(sampleRequest(2, [sampleAlert('late')]), SIGNAL);
      await delivered(1);
      // Nor does it begin anew, as if the receiver had just begun to fail.
      await service.api.raise(sampleRequest(3, [sampleAlert('later')]), SIGNAL);
      await delivered(2);
    });

    test('it is sent after the others, never beside them', async () => {
      noWaits();
      await open('webhook', {});
      await service.api.raise(sampleRequest(1, sampleAlerts('pod', 3)), SIGNAL);
      await delivered(2);
      let beside = 0;
      let sending = 0;
      server.behave = (posted) => {
        const isBad = namesIn(posted).includes('pod-0');
        if (isBad) beside += sending;
        else sending += 1;
        // Before anything else comes in, so after all that came in together.
        setImmediate(() => (sending -= isBad ? 0 : 1));
        return { status: isBad ? 500 : 200 };
      };
      await service.api.raise(sampleRequest(2, sampleAlerts('more', 20)), SIGNAL);
      await delivered(22);
      expect(beside).toBe(0);
    });

    test('it is taken once the receiver is mended', async () => {
      noWaits();
      await open('alertmanager', {});
      await service.api.raise(sampleRequest(1, sampleAlerts('pod', 3)), SIGNAL);
      await delivered(2);
      server.behave = () => ({ status: 200 });
      await delivered(3);
    });
  });

  test('after an outage the most urgent go first, then the oldest', async () => {
    // The longest waits, so that there are few tries before all are raised: none fails alone.
    const random = jest.spyOn(Math, 'random').mockReturnValue(1);
    // It ends with the first of the most urgent: at another moment one that is on its way just then would be taken first.
    let isOver = false;
    server.behave = (posted) => {
      isOver ||= namesIn(posted).some((name) => name.startsWith('high'));
      return isOver ? { status: 200 } : 'reset';
    };
    await open('webhook', {});
    await service.api.raise(
      sampleRequest(1, sampleAlerts('low', 3, { priority: Priority.DEBUG })),
      SIGNAL,
    );
    await until('a try', () => server.posted.length > 0);
    await service.api.raise(
      sampleRequest(2, sampleAlerts('middle', 10, { priority: Priority.INFO })),
      SIGNAL,
    );
    await service.api.raise(sampleRequest(3, sampleAlerts('high', 10)), SIGNAL);
    await settled();
    random.mockRestore();
    const names = server.taken.flatMap(namesIn);
    const kinds = names.map((name) => name.split('-')[0]);
    // Eight requests are under way at once; within such a round neighbours may change places.
    expect(new Set(kinds.slice(0, 8))).toEqual(new Set(['high']));
    expect(new Set(kinds.slice(8, 16))).toEqual(new Set(['high', 'middle']));
    expect(kinds.filter((kind) => kind === 'low')).toHaveLength(3);
  });
});
