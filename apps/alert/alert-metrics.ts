import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Outbox } from './outbox';

/** From a receiver that answers at once to one that was away for a day, in seconds. */
const ACCEPT_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1_800, 7_200, 86_400];

/** What is counted of alerts. Label `receiver` has the names of the Webhook resource. */
export interface AlertMetrics {
  readonly raised: Counter;
  readonly duplicates: Counter;
  readonly withoutReceiver: Counter;
  readonly attempts: Counter<'receiver' | 'outcome'>;
  readonly deliveries: Counter<'receiver' | 'outcome'>;
  readonly acceptSeconds: Histogram<'receiver'>;
}

/** Registers the metrics of alerts. */
export function alertMetrics(registry: Registry): AlertMetrics {
  const registers = [registry];
  return {
    raised: new Counter({
      name: 'auditing_alert_alerts_raised_total',
      help: 'Alerts taken and put on disk.',
      registers,
    }),
    duplicates: new Counter({
      name: 'auditing_alert_alerts_duplicate_total',
      help: 'Alerts that were there already when they came.',
      registers,
    }),
    withoutReceiver: new Counter({
      name: 'auditing_alert_alerts_without_receiver_total',
      help: 'Alerts raised while the Webhook resource named no receiver: kept and listed, sent nowhere.',
      registers,
    }),
    attempts: new Counter({
      name: 'auditing_alert_attempts_total',
      help: 'Requests to receivers, by what they answered: taken, retry or refused.',
      labelNames: ['receiver', 'outcome'],
      registers,
    }),
    deliveries: new Counter({
      name: 'auditing_alert_deliveries_total',
      help: 'Deliveries that ended, as delivered or dead.',
      labelNames: ['receiver', 'outcome'],
      registers,
    }),
    acceptSeconds: new Histogram({
      name: 'auditing_alert_accept_seconds',
      help: 'Time from raising an alert to a receiver taking it.',
      labelNames: ['receiver'],
      buckets: ACCEPT_BUCKETS,
      registers,
    }),
  };
}

/** Registers what is measured of an outbox when somebody asks. */
export function outboxMetrics(registry: Registry, outbox: Outbox, now: () => number): void {
  const registers = [registry];
  const ageSeconds = (sinceMs: number): number => Math.max(0, (now() - sinceMs) / 1_000);
  new Gauge({
    name: 'auditing_alert_queue_alerts',
    help: 'Alerts that a receiver has not taken yet.',
    labelNames: ['receiver'],
    registers,
    collect() {
      this.reset();
      for (const [receiver, lane] of outbox.index.lanes) this.set({ receiver }, lane.size);
    },
  });
  new Gauge({
    name: 'auditing_alert_queue_age_seconds',
    help: 'Age of the oldest alert that a receiver has not taken yet; 0 without one.',
    labelNames: ['receiver'],
    registers,
    collect() {
      this.reset();
      for (const [receiver, { oldestMs }] of outbox.index.lanes) {
        this.set({ receiver }, oldestMs === undefined ? 0 : ageSeconds(oldestMs));
      }
    },
  });
  new Gauge({
    name: 'auditing_alert_oldest_undelivered_seconds',
    help: 'Age of the oldest alert that some receiver has not taken yet; 0 without one.',
    registers,
    collect() {
      const oldest = [...outbox.index.lanes.values()].map((lane) => lane.oldestMs ?? Infinity);
      const since = Math.min(Infinity, ...oldest);
      this.set(since === Infinity ? 0 : ageSeconds(since));
    },
  });
  new Gauge({
    name: 'auditing_alert_outbox_bytes',
    help: 'Size of the outbox on disk.',
    registers,
    collect() {
      this.set(outbox.bytes);
    },
  });
}
