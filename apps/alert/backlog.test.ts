import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { DeliveryState, type Alert } from '@auditing/proto/alert';
import { Priority } from '@auditing/proto/event';
import { namesIn, startFaultServer } from './testing/fault-server';
import { opened, scratchFolder } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { ALL, sampleAlerts, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

const SIGNAL = new AbortController().signal;
const ALERTS = 10_000;
const BATCH = 100;
/** Together 80 MB: much more than the memory that may be used. */
const MESSAGE = 'x'.repeat(8_000);
const MEMORY_MAX_BYTES = 60 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const PRIORITIES = [Priority.DEBUG, Priority.INFO, Priority.WARNING];

test('a backlog of 10,000 alerts goes out by priority, then age, in bounded memory', async () => {
  const scratch = scratchFolder();
  const server = await startFaultServer();
  let order: string[] = [];
  // What was tried alone while the receiver was away has a pause of its own: how many those are, the machine's speed decides.
  const triedAlone = new Set<string>();
  server.behave = (posted) => {
    const [first = '', ...others] = namesIn(posted);
    if (others.length === 0) triedAlone.add(first);
    return { status: 503, headers: { 'retry-after': '1' } };
  };
  const rule = ruleStub([sampleReceiver('alertmanager', server.url)]);
  const service = await opened(join(scratch.path, 'data'), rule, {
    AUDITING_ALERT_RATE: '0',
  });
  try {
    const before = heldBytes();
    for (let batch = 0; batch < ALERTS / BATCH; batch += 1) {
      const priority = PRIORITIES[batch % PRIORITIES.length] ?? Priority.DEBUG;
      const alerts: Alert[] = sampleAlerts(`${priority}-${batch}`, BATCH, {
        priority,
        message: MESSAGE,
      });
      await service.api.raise(sampleRequest(batch + 1, alerts), SIGNAL);
      server.posted.length = 0;
    }
    expect(heldBytes() - before).toBeLessThan(MEMORY_MAX_BYTES);

    let mostHeld = 0;
    server.behave = (posted) => {
      order = order.concat(namesIn(posted));
      // What the test server keeps is not what the service keeps.
      server.posted.length = 0;
      server.taken.length = 0;
      if (order.length % 1_024 === 0) mostHeld = Math.max(mostHeld, heldBytes() - before);
      return { status: 200 };
    };
    await until('all are delivered', () => order.length >= ALERTS, 60_000);
    expect(mostHeld).toBeLessThan(MEMORY_MAX_BYTES);
    expect(new Set(order).size).toBe(ALERTS);
    expect(order).toHaveLength(ALERTS);
    expect(triedAlone.size).toBeLessThan(ALERTS / 100);
    const keys = order
      .filter((name) => !triedAlone.has(name))
      .map((name) => name.split('-').map(Number));
    const sorted = [...keys].sort(
      ([p1 = 0, b1 = 0, n1 = 0], [p2 = 0, b2 = 0, n2 = 0]) => p2 - p1 || b1 - b2 || n1 - n2,
    );
    expect(keys).toEqual(sorted);
    await until('the last is recorded', async () => {
      const { alerts } = await service.api.list(ALL, SIGNAL);
      return alerts.every(({ deliveries }) => deliveries[0]?.state === DeliveryState.DELIVERED);
    });
  } finally {
    await service.stop();
    await server.close();
    scratch.remove();
  }
}, 300_000);

/** Heap and buffers that are in use, garbage aside. */
function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
