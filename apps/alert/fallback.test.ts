import { join } from 'node:path';
import { DeliveryState, type AlertStatus } from '@auditing/proto/alert';
import type { Receiver } from '@auditing/proto/rule';
import { namesIn, startFaultServer, type FaultServer } from './testing/fault-server';
import { opened, scratchFolder, type Opened } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { ALL, sampleAlert, sampleAlerts, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

const SIGNAL = new AbortController().signal;

describe('a fallback receiver', () => {
  const scratch = scratchFolder();
  let first: FaultServer;
  let second: FaultServer;
  let service: Opened;
  let folders = 0;

  beforeEach(async () => {
    first = await startFaultServer();
    second = await startFaultServer();
    folders += 1;
  });
  afterEach(async () => {
    await service.stop();
    await first.close();
    await second.close();
  });
  afterAll(() => scratch.remove());

  const open = async (names: readonly string[] = ['first', 'second'], after = '1s') => {
    const all = [
      sampleReceiver('webhook', first.url, 'first'),
      sampleReceiver('webhook', second.url, 'second'),
    ];
    const rule = ruleStub(all.filter(({ name }) => names.includes(name)));
    service = await opened(join(scratch.path, String(folders)), rule, {
      AUDITING_ALERT_FALLBACK: 'second',
      AUDITING_ALERT_FALLBACK_AFTER: after,
    });
  };
  const listed = async (): Promise<AlertStatus[]> => (await service.api.list(ALL, SIGNAL)).alerts;
  const statesOf = async (name: string) => {
    const found = (await listed()).find(({ alert }) => alert?.event?.objectRef?.name === name);
    return found?.deliveries.map(({ receiver, state }) => [receiver, state]);
  };

  test('gets nothing that the other takes, and what it does not take in time', async () => {
    await open();
    await service.api.raise(sampleRequest(1, [sampleAlert('taken')]), SIGNAL);
    await until('it is taken', () => first.taken.length === 1);
    first.behave = () => ({ status: 503 });
    await service.api.raise(sampleRequest(2, sampleAlerts('late', 3)), SIGNAL);
    await until('they are handed over', () => second.taken.length === 3);
    expect(second.taken.flatMap(namesIn).sort()).toEqual(['late-0', 'late-1', 'late-2']);
    expect(await statesOf('taken')).toEqual([['first', DeliveryState.DELIVERED]]);
    await until('it is recorded', async () => {
      const states = await statesOf('late-0');
      return states?.[1]?.[1] === DeliveryState.DELIVERED;
    });
    expect(await service.runtime.metrics.metrics()).toContain(
      'auditing_alert_alerts_handed_over_total{receiver="first"} 3',
    );
    first.behave = () => ({ status: 200 });
    await until('the first has them in the end', () => first.taken.length === 4);
  });

  test('gets what the other refuses for good, once, whatever is restarted', async () => {
    await open();
    first.behave = () => ({ status: 400, text: 'no' });
    await service.api.raise(sampleRequest(1, [sampleAlert('bad')]), SIGNAL);
    await until('it is handed over', () => second.taken.length === 1);
    await until('it is recorded', async () =>
      (await statesOf('bad'))?.some(([, state]) => state === DeliveryState.DELIVERED),
    );
    const ids = (await listed())[0]?.deliveries.map(({ id }) => id) ?? [];
    await service.stop();
    await open();
    expect(await statesOf('bad')).toEqual([
      ['first', DeliveryState.DEAD],
      ['second', DeliveryState.DELIVERED],
    ]);
    expect((await listed())[0]?.deliveries.map(({ id }) => id)).toEqual(ids);
    expect(second.taken[0]?.headers['auditing-delivery-id']).toBe(ids[1]);
    // Behind it: had it been handed over again, it would have come before.
    await service.api.raise(sampleRequest(2, [sampleAlert('worse')]), SIGNAL);
    await until('the next is handed over', () => second.taken.length >= 2);
    expect(second.taken.flatMap(namesIn)).toEqual(['bad', 'worse']);
  });

  test('of a name that no receiver has is warned of, once until that changes', async () => {
    const all = ['first', 'second', 'third'].map((name) =>
      sampleReceiver('webhook', first.url, name),
    );
    const [a, b, c] = all as [Receiver, Receiver, Receiver];
    const rule = ruleStub([a]);
    service = await opened(join(scratch.path, String(folders)), rule, {
      AUDITING_ALERT_FALLBACK: 'second',
    });
    const warnings = () => service.log.filter((line) => line['fallback'] === 'second');
    const use = async (specs: Receiver[]): Promise<void> => {
      rule.use(specs);
      await until('they are in use', async () => {
        const { receivers } = await service.api.listReceivers({}, SIGNAL);
        const inUse = receivers.filter(({ type }) => type !== '').map(({ name }) => name);
        return inUse.join() === specs.map(({ name }) => name).join();
      });
    };
    await use([a]);
    expect(warnings()).toMatchObject([{ fallback: 'second', receivers: ['first'] }]);
    await use([a, c]);
    expect(warnings()).toHaveLength(1);
    await use([a, c, b]);
    expect(warnings()).toHaveLength(1);
    await use([a, c]);
    expect(warnings()).toHaveLength(2);
  });

  test('that is the only one gets everything', async () => {
    await open(['second'], '1h');
    await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
    await until('it is taken', () => second.taken.length === 1);
  });
});
