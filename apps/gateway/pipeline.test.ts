import { Level, Strip } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';
import { event, eventually, hubEvent, TestGateway } from './testing/gateway';
import { ruleSet, unavailable } from './testing/services';

let gateway: TestGateway;

beforeEach(() => {
  gateway = new TestGateway();
});

afterEach(async () => {
  await gateway.stop();
  await gateway.remove();
});

const stored = (count: number) => () => gateway.archive.stored.length >= count;

describe('the flow', () => {
  test('every event that is kept is archived byte for byte, in order', async () => {
    await gateway.start();
    const events = Array.from({ length: 40 }, (_, index) => event(`id-${index}`));
    for (const one of events) await gateway.post(one);
    await eventually('all are stored', stored(40));
    expect(gateway.archive.stored).toEqual(events);
    expect(await gateway.metric('auditing_gateway_events_kept_total')).toBe(40);
  });

  test('an event that no rule keeps is counted and nothing else', async () => {
    gateway.rule.rule = (fields) => (fields.get('Verb') === 'list' ? undefined : {});
    await gateway.start();
    await gateway.post(event('a'), event('b', { verb: 'list' }), event('c'));
    await eventually('two are stored', stored(2));
    expect(gateway.archive.stored).toEqual([event('a'), event('c')]);
    expect(gateway.archive.requests[0]?.kept?.positions).toEqual([0, 2]);
    expect(await gateway.metric('auditing_gateway_events_ignored_total')).toBe(1);
  });

  test('the received block goes on as it is if every event is kept', async () => {
    await gateway.open();
    await gateway.post(event('a'), event('b'));
    const [part] = await first(
      gateway.spool.parts(gateway.spool.start, new AbortController().signal),
    );
    gateway.run();
    await eventually('both are stored', stored(2));
    expect(gateway.archive.requests[0]?.kept?.batch?.block).toBe(part?.batch.block);
  });

  test('one alert is raised for each finding that asks for it', async () => {
    await gateway.start();
    await gateway.post(event('a'), event('b', { verb: 'create' }));
    await eventually('the alert is raised', () => gateway.alert.raised.length === 1);
    expect(gateway.alert.raised[0]).toMatchObject({
      rule: 'test.rule',
      message: 'created',
      event: { auditId: 'b', rules: ['test.rule'], message: 'created' },
    });
    expect(gateway.alert.requests[0]?.id).toMatchObject({ firstEvent: 0, eventCount: 2 });
  });

  test('events wait in the spool until settings have been seen', async () => {
    gateway.rule.ruleSet = undefined;
    await gateway.start();
    await gateway.post(event('a'));
    await expect(gateway.pipeline.ready()).rejects.toThrow('no settings seen yet');
    expect(gateway.rule.requests).toHaveLength(0);
    gateway.rule.set(ruleSet());
    await eventually('it is stored', stored(1));
    await gateway.pipeline.ready();
  });

  test('the settings of the last run hold while the rule service cannot be watched', async () => {
    await gateway.start();
    await gateway.post(event('a'));
    await eventually('it is stored', stored(1));
    await gateway.stop();
    Object.assign(gateway.rule, { watch: unavailable });
    await gateway.start();
    await gateway.post(event('b'));
    await eventually('the second is stored', stored(2));
  });
});

describe('settings of the Webhook resource', () => {
  test('events of Kubernetes are left out and counted unless they are switched on', async () => {
    gateway.rule.ruleSet = ruleSet({
      settings: ruleSetSettings({ k8sAuditingEnabled: false }),
    });
    await gateway.start();
    await gateway.post(event('a'), hubEvent('b'));
    await eventually('one is stored', stored(1));
    expect(gateway.archive.stored).toEqual([hubEvent('b')]);
    expect(gateway.archive.requests[0]?.kept?.positions).toEqual([1]);
    expect(await gateway.metric('auditing_gateway_events_disabled_total')).toBe(1);
  });

  test('bodies above the level are removed before rules see the event, and the verdict says so', async () => {
    gateway.rule.ruleSet = ruleSet({ settings: ruleSetSettings({ auditLevel: Level.METADATA }) });
    const seen: unknown[] = [];
    gateway.rule.rule = (fields) => {
      seen.push(fields.get('RequestObject'));
      return {};
    };
    await gateway.start();
    await gateway.post(hubEvent('a', { RequestObject: { secret: 1 } }), hubEvent('b'));
    await eventually('both are stored', stored(2));
    expect(seen).toEqual([undefined, undefined]);
    expect(gateway.archive.stored[0]).not.toContain('secret');
    const verdicts = gateway.archive.requests[0]?.kept?.verdicts?.verdicts;
    expect(verdicts?.map(({ strip }) => strip)).toEqual([Strip.BODIES, Strip.UNSPECIFIED]);
    expect(await gateway.metric('auditing_gateway_events_stripped_total')).toBe(1);
  });
});

describe('services that are away', () => {
  test('an alert service that is down does not stop archiving, and gets its alerts later', async () => {
    gateway.alert.fault = unavailable;
    await gateway.start();
    for (let index = 0; index < 50; index += 1) {
      await gateway.post(event(`id-${index}`, { verb: 'create' }));
    }
    await eventually('all are stored', stored(50));
    expect(gateway.alert.raised).toHaveLength(0);
    await gateway.stop();
    await gateway.start();
    gateway.alert.fault = () => undefined;
    await eventually('all are raised', () => gateway.alert.raised.length === 50);
    expect(gateway.archive.stored).toHaveLength(50);
  });

  test('nothing is lost while the archive is down, and alerts go on', async () => {
    gateway.archive.fault = unavailable;
    await gateway.start();
    for (let index = 0; index < 20; index += 1) {
      await gateway.post(event(`id-${index}`, { verb: 'create' }));
    }
    await eventually('all are raised', () => gateway.alert.raised.length === 20);
    gateway.archive.fault = () => undefined;
    await eventually('all are stored', stored(20));
    expect(
      await gateway.metric('auditing_gateway_retries_total', { service: 'archive' }),
    ).toBeGreaterThan(0);
    expect(gateway.letters).toHaveLength(0);
  });

  test('the age of the oldest event that is not archived grows while the archive is down', async () => {
    gateway.archive.fault = unavailable;
    await gateway.start();
    await gateway.post(event('a'));
    const age = () => gateway.metric('auditing_gateway_oldest_unarchived_seconds');
    await eventually('it is older than a tenth of a second', async () => (await age()) > 0.1);
    gateway.archive.fault = () => undefined;
    await eventually('it is back at 0', async () => (await age()) === 0);
  });
});

describe('decided once', () => {
  test('a replay uses the decision even though the rules have changed', async () => {
    gateway.archive.fault = unavailable;
    await gateway.start();
    await gateway.post(event('a', { verb: 'create' }), event('b'));
    await eventually('it is decided and raised', () => gateway.alert.raised.length === 1);
    await gateway.stop();
    gateway.archive.fault = () => undefined;
    gateway.rule.rule = () => undefined;
    gateway.rule.ruleSet = ruleSet({ version: 'v2' });
    gateway.rule.requests.length = 0;
    await gateway.start();
    await eventually('both are stored', stored(2));
    expect(gateway.rule.requests).toHaveLength(0);
    expect(gateway.archive.requests[0]?.kept?.verdicts?.ruleSetVersion).toBe('v1');
    expect(gateway.alert.raised).toHaveLength(1);
  });

  test('after a restart work goes on where it was, under a new epoch', async () => {
    await gateway.start();
    await gateway.post(event('a'));
    await eventually('it is stored', stored(1));
    await gateway.stop();
    await gateway.start();
    await gateway.post(event('b'));
    await eventually('the second is stored', stored(2));
    const epochs = gateway.archive.requests.map(({ kept }) => kept?.batch?.id?.epoch);
    expect(new Set(epochs).size).toBe(2);
    expect(gateway.archive.requests).toHaveLength(2);
  });

  test('what the durable cursor has passed is declared settled, and never more', async () => {
    await gateway.start();
    await gateway.post(event('a'));
    await eventually('it is stored', stored(1));
    expect(gateway.archive.requests[0]?.settledBelow).toBe(0n);
    await eventually('a later batch settles the first', async () => {
      await gateway.post(event('x'));
      return (gateway.archive.requests.at(-1)?.settledBelow ?? 0n) >= 1n;
    });
    for (const { kept, settledBelow } of gateway.archive.requests) {
      expect(settledBelow).toBeLessThanOrEqual(kept?.batch?.id?.sequence ?? 0n);
    }
  });
});

describe('events that a service refuses for good', () => {
  const refuse = (text: string): never => {
    throw new RpcError(status.INVALID_ARGUMENT, `refused: ${text}`);
  };

  test('the archive: the bad event is found, buried, and the others are stored once', async () => {
    gateway.archive.fault = ({ kept }) => {
      if (kept?.positions.includes(5)) refuse('number 5');
    };
    await gateway.start();
    const events = Array.from({ length: 11 }, (_, index) => event(`id-${index}`));
    await gateway.post(...events);
    await gateway.post(event('after'));
    await eventually('the others are stored', stored(11));
    expect([...gateway.archive.stored].sort()).toEqual(
      [...events.filter((_, index) => index !== 5), event('after')].sort(),
    );
    expect(gateway.letters).toHaveLength(1);
    expect(gateway.letters[0]).toMatchObject({ kind: 'event', data: Buffer.from(events[5] ?? '') });
    expect(gateway.letters[0]?.reason).toContain('refused: number 5');
    const ranges = gateway.archive.requests.map(({ kept }) => kept?.batch?.id);
    expect(ranges.every((id) => (id?.eventCount ?? 0) > 0)).toBe(true);
  });

  test('the rule service: the event it cannot decide is buried, the others are decided', async () => {
    gateway.rule.rule = (fields) => {
      if (fields.get('AuditID') === 'bad') throw new Error('boom');
      return { alert: 'x' };
    };
    await gateway.start();
    await gateway.post(event('a'), event('bad'), event('c'), event('d'));
    await eventually('three are stored', stored(3));
    await eventually('three are raised', () => gateway.alert.raised.length === 3);
    expect(gateway.archive.stored).toEqual([event('a'), event('c'), event('d')]);
    expect(gateway.letters.map(({ data }) => data.toString())).toEqual([event('bad')]);
    expect(gateway.archive.requests[0]?.kept?.positions).toEqual([0, 2, 3]);
  });

  test('the alert service: the event is buried, the other alerts are raised', async () => {
    gateway.alert.fault = ({ alerts }) => {
      if (alerts.some((alert) => alert.event?.auditId === 'bad')) refuse('bad');
    };
    await gateway.start();
    await gateway.post(...['a', 'bad', 'c'].map((id) => event(id, { verb: 'create' })));
    await eventually('two are raised', () => gateway.alert.raised.length === 2);
    await eventually('all are stored', stored(3));
    await eventually('it is buried', () => gateway.letters.length === 1);
  });

  test('a message that is always too large is tried a few times, then halved', async () => {
    gateway.archive.fault = ({ kept }) => {
      if ((kept?.positions.length ?? 0) > 2) {
        throw new RpcError(status.RESOURCE_EXHAUSTED, 'message larger than max');
      }
    };
    await gateway.start();
    await gateway.post(event('a'), event('b'), event('c'));
    await eventually('all are stored', stored(3));
    expect(gateway.archive.stored).toEqual([event('a'), event('b'), event('c')]);
    expect(gateway.letters).toHaveLength(0);
  });

  test('a part that cannot be unpacked is buried, and what follows goes on', async () => {
    await gateway.open();
    await gateway.post(event('a'));
    await gateway.post(event('b'));
    const [part] = await first(
      gateway.spool.parts(gateway.spool.start, new AbortController().signal),
    );
    const { forgetDecoded } = await import('@auditing/audit-event/decoded-batch');
    if (part?.batch.block) {
      forgetDecoded(part.batch);
      part.batch.block.data = Buffer.from('garbage');
    }
    gateway.run();
    await eventually('the second is stored', stored(1));
    expect(gateway.archive.stored).toEqual([event('b')]);
    expect(gateway.letters[0]?.reason).toContain('cannot be read');
  });
});

async function first<T>(items: AsyncIterable<T>): Promise<T[]> {
  for await (const item of items) return [item];
  return [];
}

function ruleSetSettings(changes: object) {
  const { settings } = ruleSet();
  if (!settings) throw new Error('no settings');
  return { ...settings, ...changes };
}
