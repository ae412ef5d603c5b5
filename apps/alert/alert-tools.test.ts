import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import {
  AlertKind,
  DeadLettersRequest,
  DeliveryState,
  HopStep,
  ListRequest,
  type AlertDeadLetter,
} from '@auditing/proto/alert';
import { AuditEvent } from '@auditing/proto/event';
import { startFaultServer, type FaultServer } from './testing/fault-server';
import { opened, scratchFolder, type Opened } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { ALL, sampleAlert, sampleAlerts, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

jest.setTimeout(300_000);

const SIGNAL = new AbortController().signal;

describe('tools of the alert service', () => {
  const scratch = scratchFolder();
  let server: FaultServer;
  let service: Opened;
  let folders = 0;

  beforeEach(async () => {
    server = await startFaultServer();
    folders += 1;
    await open();
  });
  afterEach(async () => {
    await service.stop();
    await server.close();
  });
  afterAll(() => scratch.remove());

  const open = async (): Promise<void> => {
    const rule = ruleStub([sampleReceiver('webhook', server.url)]);
    service = await opened(join(scratch.path, String(folders)), rule);
  };
  const dead = (count: number): Promise<AlertDeadLetter[]> =>
    until(`${count} dead letters`, async () => {
      const request = DeadLettersRequest.fromPartial({ receiver: 'webhook' });
      const { deadLetters } = await service.api.deadLetters(request, SIGNAL);
      return deadLetters.length === count && deadLetters;
    });

  test('dead letters are listed with their reason, sent anew under their id, or deleted', async () => {
    server.behave = () => ({ status: 422, text: 'no' });
    await service.api.raise(sampleRequest(1, sampleAlerts('pod', 3)), SIGNAL);
    const letters = await dead(3);
    expect(letters[0]?.delivery).toMatchObject({ lastError: 'HTTP 422: no' });
    expect(letters[0]?.deadAt).toBeDefined();
    const [first, second] = letters.map(({ delivery }) => delivery?.id ?? '');
    const none = { selection: undefined };
    await expect(service.api.redriveDeadLetters(none, SIGNAL)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
    const one = (id = '') => ({ selection: { ids: [id], receiver: '' } });
    const deleted = await service.api.deleteDeadLetters(one(first), SIGNAL);
    expect(deleted).toEqual({ deletedCount: 1 });
    server.behave = () => ({ status: 200 });
    const redriven = await service.api.redriveDeadLetters(one(second), SIGNAL);
    expect(redriven).toEqual({ redrivenCount: 1 });
    await until('it is taken', () => server.taken.length === 1);
    expect(server.taken[0]?.headers['auditing-delivery-id']).toBe(second);
    // What was done about them survives a restart.
    await until('it is recorded', async () => {
      const { alerts } = await service.api.list(ALL, SIGNAL);
      return alerts.some(({ deliveries }) => deliveries[0]?.state === DeliveryState.DELIVERED);
    });
    await service.stop();
    await open();
    await dead(1);
    const rest = { selection: { ids: [], receiver: 'webhook' } };
    expect(await service.api.redriveDeadLetters(rest, SIGNAL)).toEqual({ redrivenCount: 1 });
    await until('the last is taken', () => server.taken.length === 2);
  });

  test('history is found by user, object, time, state and receiver, a page at a time', async () => {
    const alerts = sampleAlerts('pod', 5).map((alert, place) => {
      const user = { username: place % 2 ? 'eve' : 'admin' };
      return { ...alert, event: AuditEvent.fromPartial({ ...alert.event, user }) };
    });
    await service.api.raise(sampleRequest(1, alerts), SIGNAL);
    const names = async (fields: Parameters<typeof ListRequest.fromPartial>[0]) => {
      const { alerts: found } = await service.api.list(ListRequest.fromPartial(fields), SIGNAL);
      return found.map(({ alert }) => alert?.event?.objectRef?.name);
    };
    expect(await names({ user: 'eve' })).toEqual(['pod-3', 'pod-1']);
    expect(await names({ name: 'pod-2', namespace: 'default', resource: 'pods' })).toEqual([
      'pod-2',
    ]);
    expect(await names({ end: { seconds: 1n, nanos: 0 } })).toEqual([]);
    expect(await names({ receiver: 'another' })).toEqual([]);
    await until(
      'all are delivered',
      async () => (await names({ state: DeliveryState.DELIVERED })).length === 5,
    );
    const page = await service.api.list(ListRequest.fromPartial({ limit: 2 }), SIGNAL);
    const { nextCursor: cursor } = page;
    expect(await names({ limit: 2, cursor })).toEqual(['pod-2', 'pod-1']);
    await expect(names({ cursor: 'x' })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    const id = page.alerts[0]?.id ?? Buffer.alloc(0);
    expect((await service.api.get({ id }, SIGNAL)).alert?.event?.objectRef?.name).toBe('pod-4');
    const unknown = service.api.get({ id: Buffer.alloc(32) }, SIGNAL);
    await expect(unknown).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  test('a page of who sees one namespace is full, and holds nothing else', async () => {
    const alerts = sampleAlerts('pod', 12).map((alert, place) => {
      const objectRef = { ...alert.event?.objectRef, namespace: place % 3 ? 'pay' : 'shop' };
      return { ...alert, event: AuditEvent.fromPartial({ ...alert.event, objectRef }) };
    });
    await service.api.raise(sampleRequest(1, alerts), SIGNAL);
    const scope = { namespaces: [{ name: 'shop', since: undefined }], workspaces: [] };
    const page = async (cursor: string) => {
      const request = { ...ListRequest.fromPartial({ limit: 2, cursor }), scope };
      const { alerts: found, nextCursor } = await service.api.list(request, SIGNAL);
      return { names: found.map(({ alert }) => alert?.event?.objectRef?.name), nextCursor };
    };
    const first = await page('');
    expect(first.names).toEqual(['pod-9', 'pod-6']);
    expect((await page(first.nextCursor)).names).toEqual(['pod-3', 'pod-0']);
  });

  test('a test of a receiver says how far it got', async () => {
    const test = () => service.api.testReceiver({ receiver: 'webhook' }, SIGNAL);
    await until('it is in use', async () =>
      (await service.api.listReceivers({}, SIGNAL)).receivers.some(
        ({ name }) => name === 'webhook',
      ),
    );
    const good = await test();
    expect(good.accepted).toBe(true);
    expect(good.hops.map(({ step, ok }) => [step, ok])).toEqual([
      [HopStep.SETTINGS, true],
      [HopStep.RESOLVE, true],
      [HopStep.CONNECT, true],
      [HopStep.POST, true],
    ]);
    expect(JSON.stringify(server.taken[0]?.body)).toContain(good.marker);
    server.behave = () => ({ status: 401, text: 'who are you' });
    const bad = await test();
    expect(bad.accepted).toBe(false);
    expect(bad.hops.at(-1)).toMatchObject({ step: HopStep.POST, ok: false });
    expect(bad.hops.at(-1)?.detail).toBe('HTTP 401: who are you');
    const other = service.api.testReceiver({ receiver: 'other' }, SIGNAL);
    await expect(other).rejects.toThrow('receiver: expected one of webhook, got "other"');
  });

  test('the alert of a probe of a gateway goes out at once, beside groups and rates', async () => {
    const alerts = sampleAlerts('pod', 3).map((alert) => ({
      ...alert,
      rule: 'auditing.AuditingProbe',
    }));
    const requests = alerts.map((alert, place) => ({
      ...sampleRequest(place + 1, [alert, { ...alert, message: 'again' }]),
      probe: true,
    }));
    for (const request of requests) await service.api.raise(request, SIGNAL);
    // Sent again, as after a crash of the gateway.
    await service.api.raise(requests[0]!, SIGNAL);
    const found = await until('all are delivered', async () => {
      const { alerts: listed } = await service.api.list(ALL, SIGNAL);
      return (
        listed.every(({ deliveries: [one] }) => one?.state === DeliveryState.DELIVERED) && listed
      );
    });
    expect(found.map(({ kind }) => kind)).toEqual(alerts.map(() => AlertKind.PROBE));
    expect(found[0]?.deliveries[0]?.acceptedBy).toBe(`${server.url}/`);
    const metrics = await service.runtime.metrics.metrics();
    expect(metrics).toContain('auditing_alert_own_alerts_total{kind="probe"} 3');
    expect(metrics).toContain('auditing_alert_alerts_raised_total 0');
    await service.stop();
    await open();
    const [again] = (await service.api.list(ALL, SIGNAL)).alerts;
    expect(again).toMatchObject({ kind: AlertKind.PROBE });
    expect(again?.deliveries[0]?.acceptedBy).toBe(`${server.url}/`);
  });

  test('a probe goes the way of every alert', async () => {
    const probed = await service.api.probe({ receiver: '', waitMs: 20_000 }, SIGNAL);
    expect(probed.delivered).toBe(true);
    const body = JSON.stringify(server.taken[0]?.body);
    expect(body).toContain('AuditingProbe');
    expect(body).toContain(probed.alert?.alert?.event?.auditId ?? 'nothing');
    server.behave = () => ({ status: 503 });
    const late = await service.api.probe({ receiver: 'webhook', waitMs: 200 }, SIGNAL);
    expect(late.delivered).toBe(false);
    expect(late.alert?.deliveries[0]).toMatchObject({ state: DeliveryState.PENDING });
    const missing = service.api.probe({ receiver: 'x', waitMs: 1 }, SIGNAL);
    await expect(missing).rejects.toMatchObject({ code: status.NOT_FOUND });
    await service.api.raise(sampleRequest(9, [sampleAlert('real')]), SIGNAL);
  });
});
