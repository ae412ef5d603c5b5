import { AlertStatus, DeliveryState } from '@auditing/proto/alert';
import { Level } from '@auditing/proto/event';
import type { QueryServices } from './api-route';
import { probe, type ProbeOptions, type ProbeResult } from './probe';
import { probeRoutes } from './probe-routes';
import { event, eventually, TestGateway } from './testing/gateway';
import { ruleSet, unavailable } from './testing/services';

const SIGNAL = new AbortController().signal;
const LONG_MS = 60_000;

let gateway: TestGateway;
/** What the alert service shows of the alert; undefined until it has it. */
let shown: () => AlertStatus['deliveries'];

beforeEach(() => {
  gateway = new TestGateway();
  gateway.rule.rule = (fields) => (fields.get('Verb') === 'probe' ? { alert: 'probe' } : {});
  shown = () => [delivery(DeliveryState.DELIVERED)];
});

afterEach(async () => {
  await gateway.stop();
  await gateway.remove();
});

function delivery(state: DeliveryState): AlertStatus['deliveries'][number] {
  return {
    ...{ receiver: 'am', id: '', state, attemptCount: 1, lastError: 'HTTP 503', digested: false },
    ...{ digest: Buffer.alloc(0), silencedBy: [], inhibitedBy: [], acceptedBy: 'http://am:9093/' },
    deliveredAt: { seconds: 2n, nanos: 0 },
  };
}

function optionsOf(): ProbeOptions {
  const status = (): AlertStatus | undefined => {
    const [alert] = gateway.alert.raised;
    return alert && AlertStatus.create({ alert, id: Buffer.alloc(32, 1), deliveries: shown() });
  };
  return {
    spool: gateway.spool,
    trails: gateway.probes,
    failureOf: (peer) => gateway.pipeline.failureOf(peer),
    alert: {
      list: () => Promise.resolve({ alerts: [status()].filter((one) => !!one), nextCursor: '' }),
      get: () => Promise.resolve(status()!),
    },
  };
}

const ask = (waitMs: number, signal = SIGNAL): Promise<ProbeResult> =>
  probe(optionsOf(), waitMs, signal);

const hopsOf = ({ hops }: ProbeResult) => hops.map(({ hop, ok }) => [hop, ok]);

test('a probe goes by spool, rules and alert service, and tells each hop', async () => {
  await gateway.start();
  const result = await ask(LONG_MS);
  expect(hopsOf(result)).toEqual([
    ['received', true],
    ['decided', true],
    ['raised', true],
    ['accepted', true],
  ]);
  expect(result.hops[3]).toMatchObject({
    receiver: 'am',
    instance: 'http://am:9093/',
    atMs: 2_000,
  });
  expect(result.delivered).toBe(true);
  const times = result.hops.slice(0, 3).map(({ atMs = NaN }) => atMs);
  expect(times).toEqual([...times].sort());
  const [request] = gateway.alert.requests;
  expect(request).toMatchObject({ probe: true });
  expect(request?.alerts[0]?.event).toMatchObject({
    auditId: result.marker,
    user: { username: 'system:auditing:probe' },
  });
});

test('it is never archived, counted as no event, and left out by no setting', async () => {
  gateway.rule.ruleSet = ruleSet({
    settings: { ...ruleSet().settings!, k8sAuditingEnabled: false, auditLevel: Level.NONE },
  });
  await gateway.start();
  expect((await ask(LONG_MS)).delivered).toBe(true);
  gateway.rule.set(ruleSet({ version: 'v2' }));
  await gateway.post(event('a'));
  await eventually('the event behind it is stored', () => gateway.archive.stored.length > 0);
  expect(gateway.archive.stored).toEqual([event('a')]);
  expect(await gateway.metric('auditing_gateway_events_kept_total')).toBe(1);
  expect(await gateway.metric('auditing_gateway_alerts_total')).toBe(0);
});

test('what a sender marks as a probe is an event like any other', async () => {
  await gateway.start();
  const forged = event('probe-1', { verb: 'probe', user: { username: 'system:auditing:probe' } });
  await gateway.post(forged);
  await eventually('it is stored', () => gateway.archive.stored.length > 0);
  expect(gateway.archive.stored).toEqual([forged]);
  expect(gateway.rule.requests[0]).toMatchObject({ probe: false });
});

test('the hop that is not reached is the last one, and says why', async () => {
  gateway.rule.fault = unavailable;
  await gateway.start();
  await gateway.post(event('a'));
  await eventually(
    'the rule service fails',
    () => gateway.pipeline.failureOf('rule') !== undefined,
  );
  const undecided = await ask(50);
  expect(hopsOf(undecided)).toEqual([
    ['received', true],
    ['decided', false],
  ]);
  expect(undecided.hops[1]?.detail).toBe('not within 50 ms; the rule service fails: away');
  expect(undecided.delivered).toBe(false);
});

test('an alert service that is away, and a receiver, are told apart', async () => {
  gateway.alert.fault = unavailable;
  await gateway.start();
  const waiting = new AbortController();
  const hanging = ask(LONG_MS, waiting.signal);
  await eventually('it fails', () => gateway.pipeline.failureOf('alert') !== undefined);
  const unraised = await ask(50);
  expect(unraised.hops.at(-1)).toMatchObject({ hop: 'raised', ok: false });
  expect(unraised.hops.at(-1)?.detail).toContain('the alert service fails: away');
  waiting.abort();
  await expect(hanging).rejects.toThrow('gave up');

  gateway.alert.fault = () => undefined;
  shown = () => [delivery(DeliveryState.PENDING)];
  await eventually('both are raised', () => gateway.alert.raised.length === 2);
  const unsent = await ask(500);
  expect(unsent.hops.at(-1)).toMatchObject({ hop: 'accepted', ok: false, receiver: 'am' });
  expect(unsent.hops.at(-1)?.detail).toMatch(/^not within 500 ms.*last: HTTP 503$/);
});

test('a rule service that knows no probes, and an installation without receivers, are told', async () => {
  await gateway.start();
  shown = () => [];
  const alone = await ask(LONG_MS);
  expect(alone).toMatchObject({ delivered: false });
  expect(alone.hops.at(-1)?.detail).toMatch(/^no receiver is configured/);
  gateway.rule.rule = () => undefined;
  const old = await ask(LONG_MS);
  expect(old.hops.at(-1)).toMatchObject({ hop: 'decided', ok: false });
  expect(old.hops.at(-1)?.detail).toContain('knows no probes');
});

test('one that was spooled before a restart goes on, and is a probe still', async () => {
  gateway.rule.fault = unavailable;
  await gateway.start();
  await ask(50);
  await gateway.stop();
  gateway.rule.fault = () => undefined;
  await gateway.start();
  await eventually('it is raised', () => gateway.alert.raised.length === 1);
  expect(gateway.alert.requests[0]).toMatchObject({ probe: true });
  expect(gateway.archive.requests).toEqual([]);
});

test('one probe may begin in a second; one that was asked for wrongly does not count', async () => {
  await gateway.start();
  let nowMs = 5_000;
  const options = optionsOf();
  const [route] = probeRoutes(options, () => nowMs);
  const post = async (parameters: string): Promise<unknown> =>
    route?.answer({
      parameters: new URLSearchParams(parameters),
      path: {},
      lastEventId: '',
      services: { alert: options.alert } as QueryServices,
      signal: SIGNAL,
    });
  await expect(post('waitMs=no')).rejects.toMatchObject({ status: 400 });
  await expect(post('')).resolves.toHaveProperty('body.delivered', true);
  nowMs += 999;
  await expect(post('')).rejects.toMatchObject({ status: 429 });
  // Nor does one that was refused.
  nowMs += 1;
  await expect(post('')).resolves.toHaveProperty('body.delivered', true);
});
