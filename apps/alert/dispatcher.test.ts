import { join } from 'node:path';
import { DeliveryState, type AlertStatus } from '@auditing/proto/alert';
import { Receiver } from '@auditing/proto/rule';
import { namesIn, startFaultServer, type FaultServer } from './testing/fault-server';
import { opened, scratchFolder, type Opened } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { ALL, sampleAlert, sampleAlerts, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

const SIGNAL = new AbortController().signal;

describe('receivers of the Webhook resource', () => {
  const scratch = scratchFolder();
  let first: FaultServer;
  let second: FaultServer;
  let service: Opened;
  let folder: string;
  let folders = 0;

  beforeEach(async () => {
    first = await startFaultServer();
    second = await startFaultServer();
    folders += 1;
    folder = join(scratch.path, String(folders));
  });
  afterEach(async () => {
    await service.stop();
    await first.close();
    await second.close();
  });
  afterAll(() => scratch.remove());

  const listed = async (): Promise<AlertStatus[]> => (await service.api.list(ALL, SIGNAL)).alerts;
  const raise = (sequence: number, name: string) =>
    service.api.raise(sampleRequest(sequence, [sampleAlert(name)]), SIGNAL);
  const taken = (server: FaultServer, count: number): Promise<string[]> =>
    until(`${count} are taken`, () => {
      const names = server.taken.flatMap(namesIn);
      return names.length >= count && names;
    });

  test('one that hangs delays no other', async () => {
    first.behave = () => 'hang';
    const receivers = [
      sampleReceiver('webhook', first.url, 'slow'),
      sampleReceiver('webhook', second.url, 'quick'),
    ];
    service = await opened(folder, ruleStub(receivers));
    await service.api.raise(sampleRequest(1, sampleAlerts('pod', 50)), SIGNAL);
    await taken(second, 50);
    const metrics = await service.runtime.metrics.metrics();
    expect(metrics).toContain('auditing_alert_queue_alerts{receiver="slow"} 50');
    expect(metrics).toContain('auditing_alert_alerts_raised_total 50');
    await until('its progress is listed', async () =>
      (await listed()).every(({ deliveries }) => deliveries[1]?.state === DeliveryState.DELIVERED),
    );
    expect((await listed())[0]?.deliveries[0]?.state).toBe(DeliveryState.PENDING);
  });

  test('a new address of one is used at once, for what it had not taken too', async () => {
    first.behave = () => 'hang';
    const rule = ruleStub([sampleReceiver('webhook', first.url, 'one')]);
    service = await opened(folder, rule);
    await raise(1, 'before');
    await until('a try', () => first.posted.length > 0);
    rule.use([sampleReceiver('webhook', second.url, 'one')]);
    await raise(2, 'after');
    expect((await taken(second, 2)).sort()).toEqual(['after', 'before']);
  });

  test('one of a wrong type, url or certificate is refused with the reason, and the others work', async () => {
    const receivers = [
      sampleReceiver('pager', first.url, 'type'),
      sampleReceiver('webhook', 'ftp://me:secret@host', 'url'),
      Receiver.fromPartial({
        ...sampleReceiver('webhook', first.url, 'ca'),
        caBundle: Buffer.from('no'),
      }),
      sampleReceiver('webhook', second.url, 'good'),
    ];
    service = await opened(folder, ruleStub(receivers));
    await raise(1, 'web');
    await taken(second, 1);
    const errors = await until('all are tried', async () => {
      const texts = (await listed())[0]?.deliveries.slice(0, 3).map(({ lastError }) => lastError);
      return texts?.every((text) => text !== '') && texts;
    });
    expect(errors).toEqual([
      'receiver type: expected type alertmanager, webhook, notificationmanager, got "pager"',
      'receiver url: expected a url that begins with http:// or https://',
      'caBundle: expected certificates in PEM',
    ]);
    expect(JSON.stringify(service.log)).not.toContain('secret');
  });

  test('one that comes back within the grace gets what waited for it', async () => {
    first.behave = () => 'reset';
    const one = sampleReceiver('webhook', first.url, 'one');
    const rule = ruleStub([one]);
    service = await opened(folder, rule);
    await raise(1, 'web');
    rule.use([]);
    await until('it is gone', () => service.log.some(({ msg }) => msg === 'receiver is gone'));
    first.behave = () => ({ status: 200 });
    await raise(2, 'nobody');
    rule.use([one]);
    expect(await taken(first, 1)).toEqual(['web']);
    expect(await service.runtime.metrics.metrics()).toContain(
      'auditing_alert_alerts_without_receiver_total 1',
    );
    const lines = service.log.filter(({ msg }) =>
      String(msg).startsWith('no receiver is configured'),
    );
    expect(lines).toHaveLength(1);
  });

  test('what waits for one that stays away is given up with that reason', async () => {
    first.behave = () => 'reset';
    const rule = ruleStub([sampleReceiver('webhook', first.url, 'one')]);
    service = await opened(folder, rule, { AUDITING_ALERT_RECEIVER_GRACE: '200ms' });
    await raise(1, 'web');
    rule.use([]);
    const delivery = await until('it is given up', async () => {
      const found = (await listed())[0]?.deliveries[0];
      return found?.state === DeliveryState.DEAD && found;
    });
    expect(delivery.lastError).toBe('the receiver was removed from the Webhook resource');
  });

  test('are known from the last run while the rule service is away', async () => {
    service = await opened(folder, ruleStub([sampleReceiver('webhook', first.url)]));
    await raise(1, 'before');
    await taken(first, 1);
    await until('the copy is kept', async () =>
      (await listed()).every(({ deliveries }) => deliveries[0]?.state === DeliveryState.DELIVERED),
    );
    await service.stop();
    service = await opened(folder, ruleStub());
    await raise(2, 'after');
    expect(await taken(first, 2)).toEqual(['before', 'after']);
  });

  test('are waited for by whoever raises an alert before they were ever known', async () => {
    service = await opened(folder, ruleStub());
    await expect(raise(1, 'web')).rejects.toThrow(/^the receivers are not known yet/);
    await expect(service.ready()).rejects.toThrow(/rule service/);
  });
});
