import { pino } from 'pino';
import { faultyDisk, type FaultyDisk } from '@auditing/journal/faulty-files';
import type { Files } from '@auditing/journal/files';
import { DeliveryState, type Alert, type RaiseRequest } from '@auditing/proto/alert';
import type { BatchId } from '@auditing/proto/event';
import type { AlertEntry } from './alert-entry';
import type { NoiseLimits } from './outbox-state';
import { openOutbox } from './open-outbox';
import type { Outbox } from './outbox';
import type { OutboxLimits } from './outbox-room';
import { OutboxUnavailableError } from './outbox-records';
import { sampleAlert, sampleAlerts, sampleRequest } from './testing/samples';

const SIGNAL = new AbortController().signal;
const LIMITS: OutboxLimits = {
  history: { maxAgeMs: 3_600_000, maxCount: 10_000, activeMs: 900_000, maxInMemory: 100_000 },
  maxBytes: 1024 ** 3,
  maxPending: 100_000,
};
const RECEIVERS = ['a', 'b'];
/** Every alert goes out by itself. */
const NOISE: NoiseLimits = { groupWindowMs: 0, rate: { perMinute: 0, burst: 1 } };

function open(files: Files, limits: Partial<OutboxLimits> = {}, now = Date.now): Promise<Outbox> {
  const log = pino({ level: 'silent' });
  return openOutbox({
    ...{ directory: '/outbox', files, log, now, noise: NOISE },
    limits: { ...LIMITS, ...limits },
  });
}

function batch(sequence: number, alerts: Alert[]): RaiseRequest & { id: BatchId } {
  const { id, ...rest } = sampleRequest(sequence, alerts);
  if (id === undefined) throw new Error('a sample has an id');
  return { ...rest, id };
}

function pendingOf(outbox: Outbox, receiver: string): AlertEntry[] {
  return [...outbox.index.lane(receiver)].map(({ alert }) => alert);
}

async function deliverAll(outbox: Outbox, receiver: string): Promise<void> {
  const endings = [...outbox.index.lane(receiver)].map((delivery) => ({
    delivery,
    state: DeliveryState.DELIVERED as const,
    by: 'http://am:9093/',
  }));
  await outbox.end(endings, SIGNAL);
}

describe('outbox', () => {
  let disk: FaultyDisk;
  beforeEach(() => {
    disk = faultyDisk(1);
  });

  test('takes a batch once, also when it comes twice at the same time or after a restart', async () => {
    const outbox = await open(disk.files);
    const request = batch(1, sampleAlerts('pod', 3));
    const both = await Promise.all([
      outbox.raise(request, RECEIVERS),
      outbox.raise(request, RECEIVERS),
    ]);
    expect(both).toEqual([
      expect.objectContaining({ raisedCount: 3, duplicateCount: 0 }),
      expect.objectContaining({ raisedCount: 0, duplicateCount: 3 }),
    ]);
    await outbox.close();
    const again = await open(disk.files);
    expect(await again.raise(request, RECEIVERS)).toMatchObject({
      raisedCount: 0,
      duplicateCount: 3,
    });
    expect(pendingOf(again, 'a')).toHaveLength(3);
    await again.close();
  });

  test('takes an event once for a rule, whatever batch it comes in', async () => {
    const outbox = await open(disk.files);
    const alert = sampleAlert('web');
    await outbox.raise(batch(1, [alert]), RECEIVERS);
    const other = { ...alert, rule: 'alerting-rule.ResourceChange' };
    const counts = await outbox.raise(batch(2, [alert, other]), RECEIVERS);
    expect(counts).toMatchObject({ raisedCount: 1, duplicateCount: 1 });
    await outbox.close();
  });

  test('takes equal events without an audit id for different ones, unless their batch is the same', async () => {
    const outbox = await open(disk.files);
    const alert = sampleAlert('web');
    const event = alert.event && { ...alert.event, auditId: '' };
    const anonymous = { ...alert, event };
    expect(await outbox.raise(batch(1, [anonymous, anonymous]), RECEIVERS)).toMatchObject({
      raisedCount: 2,
    });
    expect(await outbox.raise(batch(2, [anonymous]), RECEIVERS)).toMatchObject({ raisedCount: 1 });
    expect(await outbox.raise(batch(1, [anonymous, anonymous]), RECEIVERS)).toMatchObject({
      raisedCount: 0,
    });
    const ids = await Promise.all(
      pendingOf(outbox, 'a').map(async (one) =>
        (await outbox.load(one)).deliveries[0]?.id.toString('hex'),
      ),
    );
    expect(new Set(ids).size).toBe(3);
    await outbox.close();
  });

  test('brings back after a restart what each receiver has not had', async () => {
    const outbox = await open(disk.files);
    await outbox.raise(batch(1, sampleAlerts('pod', 3)), RECEIVERS);
    await deliverAll(outbox, 'a');
    const [delivery] = outbox.index.lane('b');
    if (delivery) await outbox.end([{ delivery, state: DeliveryState.DEAD, reason: 'no' }], SIGNAL);
    await outbox.close();
    const again = await open(disk.files);
    expect(pendingOf(again, 'a')).toHaveLength(0);
    expect(pendingOf(again, 'b')).toHaveLength(2);
    const [, , first] = again.index.newestFirst();
    expect(first?.deliveries[1]).toMatchObject({ state: DeliveryState.DEAD, lastError: 'no' });
    await again.close();
  });

  test('refuses alerts when it is full, and takes them again when there is room', async () => {
    const outbox = await open(disk.files, { maxPending: 2 });
    await outbox.raise(batch(1, sampleAlerts('pod', 2)), ['a']);
    const more = batch(2, [sampleAlert('more')]);
    await expect(outbox.raise(more, ['a'])).rejects.toThrow(OutboxUnavailableError);
    await deliverAll(outbox, 'a');
    expect(await outbox.raise(more, ['a'])).toMatchObject({ raisedCount: 1 });
    await outbox.close();
  });

  test('says unavailable when the disk fails, and counts nothing of the batch as taken', async () => {
    const outbox = await open(disk.files);
    const request = batch(1, [sampleAlert('web')]);
    disk.failSync();
    await expect(outbox.raise(request, RECEIVERS)).rejects.toThrow(OutboxUnavailableError);
    expect(outbox.index.size).toBe(0);
    expect(await outbox.raise(request, RECEIVERS)).toMatchObject({ raisedCount: 1 });
    await outbox.close();
  });

  test('writes down how a delivery ended even if the disk fails at first', async () => {
    const outbox = await open(disk.files);
    await outbox.raise(batch(1, [sampleAlert('web')]), ['a']);
    disk.failSync();
    await deliverAll(outbox, 'a');
    await outbox.close();
    const again = await open(disk.files);
    expect(pendingOf(again, 'a')).toHaveLength(0);
    await again.close();
  });

  test('removes what nothing needs from disk, and still knows the batches', async () => {
    let nowMs = 1_000_000;
    const outbox = await open(disk.files, {}, () => nowMs);
    const long = 'x'.repeat(100_000);
    for (let sequence = 1; sequence <= 200; sequence += 1) {
      await outbox.raise(batch(sequence, [sampleAlert(`pod-${sequence}`, { message: long })]), [
        'a',
      ]);
    }
    expect(outbox.bytes).toBeGreaterThan(16_000_000);
    await deliverAll(outbox, 'a');
    nowMs += 2 * LIMITS.history.maxAgeMs;
    await outbox.tidy();
    expect(outbox.bytes).toBeLessThan(9_000_000);
    expect(outbox.index.size).toBe(0);
    await outbox.close();
    const again = await open(disk.files, {}, () => nowMs);
    await again.tidy();
    expect(await again.raise(batch(1, [sampleAlert('pod-1')]), ['a'])).toMatchObject({
      duplicateCount: 1,
    });
    await again.close();
  });

  test('gives up history before it refuses alerts for want of room', async () => {
    const outbox = await open(disk.files, { maxBytes: 30_000_000 });
    const long = 'x'.repeat(100_000);
    for (let sequence = 1; sequence <= 600; sequence += 1) {
      await outbox.raise(batch(sequence, [sampleAlert(`pod-${sequence}`, { message: long })]), [
        'a',
      ]);
      await deliverAll(outbox, 'a');
      await outbox.tidy();
    }
    expect(outbox.bytes).toBeLessThan(30_000_000);
    await outbox.close();
  });

  test('keeps what is pending however old the history around it is', async () => {
    let nowMs = 1_000_000;
    const outbox = await open(disk.files, {}, () => nowMs);
    await outbox.raise(batch(1, sampleAlerts('pod', 3)), RECEIVERS);
    await deliverAll(outbox, 'a');
    nowMs += 2 * LIMITS.history.maxAgeMs;
    await outbox.tidy();
    expect(pendingOf(outbox, 'b')).toHaveLength(3);
    await deliverAll(outbox, 'b');
    nowMs += LIMITS.history.activeMs;
    await outbox.tidy();
    expect(outbox.index.size).toBe(3);
    nowMs += 1;
    await outbox.tidy();
    expect(outbox.index.size).toBe(0);
    await outbox.close();
  });

  test('keeps what may still fire beyond the limits of history, the newest if memory is short', async () => {
    let nowMs = 1_000_000;
    const history = { ...LIMITS.history, maxAgeMs: 0, maxCount: 10, maxInMemory: 40 };
    const outbox = await open(disk.files, { history }, () => nowMs);
    await outbox.raise(batch(1, sampleAlerts('pod', 30)), ['a']);
    await deliverAll(outbox, 'a');
    nowMs += history.activeMs;
    await outbox.tidy();
    expect(outbox.index.size).toBe(30);
    await outbox.raise(batch(2, sampleAlerts('more', 30)), ['a']);
    await deliverAll(outbox, 'a');
    await outbox.tidy();
    expect([...outbox.index.all()].map(({ position }) => position)[0]).toBeGreaterThan(0);
    expect(outbox.index.size).toBe(40);
    nowMs += 1;
    await outbox.tidy();
    expect(outbox.index.size).toBe(30);
    await outbox.close();
  });
});

describe('outbox over power cuts', () => {
  test.each(Array.from({ length: 60 }, (_, step) => step + 1))(
    'at change %i: what was taken is there once, and nothing delivered comes back',
    async (step) => {
      const disk = faultyDisk(step);
      const taken = new Set<string>();
      const delivered = new Set<string>();
      disk.cutPowerAt(step);
      try {
        const outbox = await open(disk.files);
        for (let sequence = 1; sequence <= 8; sequence += 1) {
          const alerts = sampleAlerts(`batch-${sequence}`, 3);
          await outbox.raise(batch(sequence, alerts), ['a']);
          for (const { event } of alerts) taken.add(event?.auditId ?? '');
          const [first] = outbox.index.lane('a');
          if (first === undefined) continue;
          const { alert } = await outbox.load(first.alert);
          const aborted = AbortSignal.timeout(50);
          const ending = { delivery: first, state: DeliveryState.DELIVERED, by: 'b' } as const;
          await outbox.end([ending], aborted);
          delivered.add(alert?.event?.auditId ?? '');
        }
      } catch {
        // The power is off.
      }
      disk.crash();
      const again = await open(disk.files);
      for (let sequence = 1; sequence <= 8; sequence += 1) {
        await again.raise(batch(sequence, sampleAlerts(`batch-${sequence}`, 3)), ['a']);
      }
      const all = await Promise.all(
        again.index
          .newestFirst()
          .map(async (one) => (await again.load(one)).alert?.event?.auditId ?? ''),
      );
      expect(all).toHaveLength(24);
      expect(new Set(all).size).toBe(24);
      for (const id of taken) expect(all).toContain(id);
      const pending = await Promise.all(
        pendingOf(again, 'a').map(async (one) => (await again.load(one)).alert?.event?.auditId),
      );
      for (const id of delivered) expect(pending).not.toContain(id);
      await again.close();
    },
  );
});
