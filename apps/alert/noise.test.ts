import { join } from 'node:path';
import { AlertKind, DeliveryState, type Alert, type AlertStatus } from '@auditing/proto/alert';
import { AuditEvent } from '@auditing/proto/event';
import { namesIn, startFaultServer, type FaultServer, type Posted } from './testing/fault-server';
import { opened, scratchFolder, type Opened } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { ALL, sampleAlert, sampleAlerts, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

jest.setTimeout(300_000);

const SIGNAL = new AbortController().signal;

/** An event of the same object, with its own key. */
function again(count: number, fields: Parameters<typeof AuditEvent.fromPartial>[0] = {}): Alert {
  const alert = sampleAlert('web');
  const key = Buffer.alloc(32, count);
  const event = AuditEvent.fromPartial({
    ...alert.event,
    key,
    auditId: `audit-${count}`,
    ...fields,
  });
  return { ...alert, event };
}

function annotationsIn({ body }: Posted): Record<string, string> {
  const { alerts } = body as { alerts: { annotations: Record<string, string> }[] };
  return alerts[0]?.annotations ?? {};
}

function labelsIn({ body }: Posted): Record<string, string> {
  const { alerts } = body as { alerts: { labels: Record<string, string> }[] };
  return alerts[0]?.labels ?? {};
}

describe('alerts that are told of as one', () => {
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

  const open = async (env: Record<string, string>): Promise<void> => {
    const rule = ruleStub([sampleReceiver('webhook', server.url)]);
    service = await opened(join(scratch.path, String(folders)), rule, env);
  };
  const taken = (count: number): Promise<Posted[]> =>
    until(`${count} requests`, () => server.taken.length >= count && server.taken);
  const listed = async (): Promise<AlertStatus[]> => (await service.api.list(ALL, SIGNAL)).alerts;

  test('the first goes out at once, the others as one update under its labels', async () => {
    await open({ AUDITING_ALERT_GROUP_WINDOW: '1s' });
    await service.api.raise(sampleRequest(1, [again(1)]), SIGNAL);
    await taken(1);
    await service.api.raise(sampleRequest(2, [again(2), again(3)]), SIGNAL);
    const [first, update] = await taken(2);
    expect(annotationsIn(first!)).toMatchObject({ count: '1' });
    expect(annotationsIn(update!)).toMatchObject({
      count: '3',
      auditIDs: 'audit-1, audit-2, audit-3',
    });
    expect(labelsIn(update!)).toEqual(labelsIn(first!));
    const ids = server.taken.map(({ headers }) => headers['auditing-delivery-id']);
    expect(new Set(ids).size).toBe(2);
    const kinds = (await listed()).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === AlertKind.REPEAT)).toHaveLength(2);
    const metrics = await service.runtime.metrics.metrics();
    expect(metrics).toContain('auditing_alert_alerts_grouped_total 2');
  });

  test('a quiet window ends a group, and the next alert is news', async () => {
    await open({ AUDITING_ALERT_GROUP_WINDOW: '300ms' });
    await service.api.raise(sampleRequest(1, [again(1)]), SIGNAL);
    await taken(1);
    await until('the group is closed', async () =>
      (await service.runtime.metrics.metrics()).includes('auditing_alert_groups_open 0'),
    );
    await service.api.raise(sampleRequest(2, [again(2)]), SIGNAL);
    const [, second] = await taken(2);
    expect(annotationsIn(second!)).toMatchObject({ count: '1', auditID: 'audit-2' });
  });

  test('without a window each goes out', async () => {
    await open({ AUDITING_ALERT_GROUP_WINDOW: '0' });
    await service.api.raise(sampleRequest(1, [again(1), again(2), again(3)]), SIGNAL);
    expect((await taken(3)).map((one) => annotationsIn(one)['count'])).toEqual(['1', '1', '1']);
  });

  test('what waited for a receiver that was away goes out once, with the whole count', async () => {
    await open({ AUDITING_ALERT_GROUP_WINDOW: '500ms' });
    server.behave = () => ({ status: 503 });
    await service.api.raise(sampleRequest(1, [again(1)]), SIGNAL);
    await until('it is away', () => server.posted.length > 0);
    await service.api.raise(sampleRequest(2, [again(2), again(3)]), SIGNAL);
    await service.stop();
    await open({ AUDITING_ALERT_GROUP_WINDOW: '500ms' });
    server.behave = () => ({ status: 200 });
    const [only] = await taken(1);
    expect(annotationsIn(only!)).toMatchObject({ count: '3' });
    await until('the group is closed', async () =>
      (await service.runtime.metrics.metrics()).includes('auditing_alert_groups_open 0'),
    );
    expect(server.taken).toHaveLength(1);
  });

  test('stages of one request are one alert, which tells the outcome', async () => {
    await open({ AUDITING_ALERT_GROUP_WINDOW: '1s' });
    const stage = (key: number, fields: object) =>
      again(key, { auditId: 'one', requestUri: '/x', ...fields });
    await service.api.raise(sampleRequest(1, [stage(1, { stage: 'RequestReceived' })]), SIGNAL);
    await taken(1);
    const last = stage(2, {
      stage: 'ResponseComplete',
      responseStatus: { code: 403, reason: 'Forbidden' },
    });
    await service.api.raise(sampleRequest(2, [last]), SIGNAL);
    const [first, update] = await taken(2);
    expect(annotationsIn(first!)).not.toHaveProperty('outcome');
    expect(annotationsIn(update!)).toMatchObject({ count: '1', outcome: '403 Forbidden' });
    expect((await listed()).map(({ kind }) => kind)).toContain(AlertKind.STAGE);
  });

  test.each([{ requestUri: '/y' }, { verb: 'get' }, { user: { username: 'eve' } }])(
    'an audit id that somebody chose hides no request: %j',
    async (other) => {
      await open({});
      const chosen = { auditId: 'chosen', requestUri: '/x' };
      const requests = [again(1, chosen), again(2, { ...chosen, ...other })];
      await service.api.raise(sampleRequest(1, requests), SIGNAL);
      const kinds = (await listed()).map(({ kind }) => kind);
      expect(kinds).not.toContain(AlertKind.STAGE);
    },
  );

  const RATED = {
    AUDITING_ALERT_RATE: '1',
    AUDITING_ALERT_BURST: '2',
    AUDITING_ALERT_DIGEST_INTERVAL: '300ms',
  };

  test('what is above the rate is in a digest, which counts exactly and lists event keys', async () => {
    await open(RATED);
    const alerts = sampleAlerts('pod', 120);
    await service.api.raise(sampleRequest(1, alerts), SIGNAL);
    const posted = await taken(3);
    const digest = posted.find((one) => labelsIn(one)['digest'] === 'true')!;
    expect(annotationsIn(digest)).toMatchObject({ count: '118' });
    const keys = (annotationsIn(digest)['eventKeys'] ?? '').split(', ');
    expect(keys).toHaveLength(100);
    expect(keys[0]).toBe(alerts[2]?.event?.key.toString('hex'));
    // Webhooks get several at once, in any order.
    const others = posted.filter((one) => one !== digest).flatMap(namesIn);
    expect(others.sort()).toEqual(['pod-0', 'pod-1']);
    const all = await until('its entries are delivered', async () => {
      const found = await listed();
      const isOver = found.every(({ deliveries }) =>
        deliveries.every(({ state }) => state === DeliveryState.DELIVERED),
      );
      return isOver && found;
    });
    const own = all.find(({ kind }) => kind === AlertKind.DIGEST);
    const digested = all.flatMap(({ deliveries }) => deliveries).filter((one) => one.digested);
    expect(digested).toHaveLength(118);
    expect(digested.every((one) => one.digest.equals(own?.id ?? Buffer.alloc(0)))).toBe(true);
    expect(await service.runtime.metrics.metrics()).toContain(
      'auditing_alert_alerts_digested_total{receiver="webhook"} 118',
    );
  });

  test('a restart fills no bucket, and forgets nothing that waits for a digest', async () => {
    const slow = { ...RATED, AUDITING_ALERT_DIGEST_INTERVAL: '1h' };
    await open(slow);
    await service.api.raise(sampleRequest(1, sampleAlerts('pod', 3)), SIGNAL);
    await taken(2);
    await until(
      'both are recorded',
      async () =>
        (await listed()).filter(
          ({ deliveries }) => deliveries[0]?.state === DeliveryState.DELIVERED,
        ).length === 2,
    );
    await service.stop();
    await open(slow);
    await service.api.raise(sampleRequest(2, [sampleAlert('more')]), SIGNAL);
    expect((await listed())[0]?.deliveries[0]).toMatchObject({ digested: true });
    await service.stop();
    await open(RATED);
    const posted = await taken(3);
    expect(annotationsIn(posted[2]!)).toMatchObject({ count: '2' });
  });

  test('a heartbeat comes again and again', async () => {
    await open({ AUDITING_ALERT_HEARTBEAT: '200ms' });
    const beats = await taken(2);
    expect(labelsIn(beats[0]!)).toEqual({ alertname: 'AuditingHeartbeat', alerttype: 'auditing' });
    expect(labelsIn(beats[1]!)).toEqual(labelsIn(beats[0]!));
    expect(await listed()).toEqual([]);
  });
});
