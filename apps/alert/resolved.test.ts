import { join } from 'node:path';
import { DeliveryState } from '@auditing/proto/alert';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { alertMetrics } from './alert-metrics';
import { Keeper } from './keeper';
import { openOutbox } from './open-outbox';
import type { Sent } from './receivers/receiver';
import { startFaultServer, type Posted } from './testing/fault-server';
import { opened, scratchFolder } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { sampleAlert, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

const SIGNAL = new AbortController().signal;
const HOLD_MS = 600_000;
const MINUTE_MS = 60_000;

const scratch = scratchFolder();
afterAll(() => scratch.remove());

function endIn({ body }: Posted): number {
  return Date.parse((body as { endsAt: string }[])[0]?.endsAt ?? '');
}

test('an alert that is over is sent again with the end it had', async () => {
  const server = await startFaultServer();
  const rule = ruleStub([sampleReceiver('alertmanager', server.url)]);
  const service = await opened(join(scratch.path, 'service'), rule, { AUDITING_ALERT_HOLD: '1s' });
  try {
    await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
    await until('it is sent twice', () => server.taken.length === 2);
    const [first, second] = server.taken as [Posted, Posted];
    expect(endIn(first)).toBeGreaterThan(first.atMs);
    expect(endIn(second)).toBeLessThanOrEqual(second.atMs);
    const labels = ({ body }: Posted) => (body as { labels: object; startsAt: string }[])[0];
    expect(labels(second)?.labels).toEqual(labels(first)?.labels);
    expect(labels(second)?.startsAt).toBe(labels(first)?.startsAt);
  } finally {
    await service.stop();
    await server.close();
  }
});

test('it is sent again every minute for five minutes, and never before its end', async () => {
  const metrics = alertMetrics(new Registry());
  const log = pino({ level: 'silent' });
  let nowMs = Date.parse('2026-05-01T10:00:00Z');
  const now = () => nowMs;
  const outbox = await openOutbox({
    ...{ directory: join(scratch.path, 'outbox'), log, now },
    noise: { groupWindowMs: 0, rate: { perMinute: 0, burst: 1 } },
    limits: {
      history: { maxAgeMs: 1e12, maxCount: 100, activeMs: 0, maxInMemory: 100 },
      maxBytes: 2 ** 30,
      maxPending: 100,
    },
  });
  const { id, ...request } = sampleRequest(1, [sampleAlert('web')]);
  await outbox.raise({ ...request, id: id! }, ['am']);
  const [delivery] = outbox.index.lane('am');
  await outbox.end([{ delivery: delivery!, state: DeliveryState.DELIVERED, by: 'am' }], SIGNAL);
  const sent: { readonly minute: number; readonly endsAtMs: number }[] = [];
  const startMs = nowMs;
  const resend = (alerts: readonly Sent[]): Promise<boolean> => {
    const minute = (nowMs - startMs) / MINUTE_MS;
    sent.push(...alerts.map(({ endsAtMs }) => ({ minute, endsAtMs })));
    return Promise.resolve(true);
  };
  const keeping = {
    holdMs: HOLD_MS,
    lacking: () => Promise.resolve([]),
    shown: () => Promise.resolve(undefined),
    silences: () => Promise.resolve(undefined),
    resend,
  };
  const options = { name: 'am', keeping, outbox, metrics, log, now, onSilences: undefined };
  const keeper = new Keeper(options, SIGNAL);
  for (; nowMs < startMs + 20 * MINUTE_MS; nowMs += 5_000) await keeper.look();
  expect(sent.map(({ minute }) => minute)).toEqual([10, 11, 12, 13, 14, 15]);
  expect(sent.every(({ endsAtMs }) => endsAtMs === startMs + HOLD_MS)).toBe(true);
  await outbox.close();
});
