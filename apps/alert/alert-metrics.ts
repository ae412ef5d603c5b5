import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ReceiverStatus } from '@auditing/proto/alert';
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
  readonly eventToAcceptSeconds: Histogram<'receiver'>;
  readonly repeats: Counter;
  readonly stages: Counter;
  readonly digested: Counter<'receiver'>;
  readonly own: Counter<'kind'>;
  readonly resent: Counter<'receiver'>;
  readonly handedOver: Counter<'receiver'>;
  readonly owedDropped: Counter<'receiver'>;
}

/** Registers the metrics of alerts. */
export function alertMetrics(registry: Registry): AlertMetrics {
  const registers = [registry];
  const owedDropped = new Counter({
    name: 'auditing_alert_owed_alerts_dropped_total',
    help: 'Alerts that an instance of Alertmanager is owed no more, because it was owed too much; others took them.',
    labelNames: ['receiver'],
    registers,
  });
  return { ...raiseMetrics(registers), ...deliveryMetrics(registers), owedDropped };
}

function raiseMetrics(
  registers: Registry[],
): Pick<
  AlertMetrics,
  'raised' | 'duplicates' | 'withoutReceiver' | 'repeats' | 'stages' | 'digested' | 'own'
> {
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
    repeats: new Counter({
      name: 'auditing_alert_alerts_grouped_total',
      help: 'Alerts that joined a group: told by the count of its next update.',
      registers,
    }),
    stages: new Counter({
      name: 'auditing_alert_stages_joined_total',
      help: 'Alerts of further stages of a request that was alerted of.',
      registers,
    }),
    digested: new Counter({
      name: 'auditing_alert_alerts_digested_total',
      help: 'Alerts above the rate of a receiver: told by its next digest.',
      labelNames: ['receiver'],
      registers,
    }),
    own: new Counter({
      name: 'auditing_alert_own_alerts_total',
      help: 'Alerts that the service made itself: update, digest, heartbeat or probe.',
      labelNames: ['kind'],
      registers,
    }),
  };
}

function deliveryMetrics(
  registers: Registry[],
): Pick<
  AlertMetrics,
  'attempts' | 'deliveries' | 'resent' | 'handedOver' | 'acceptSeconds' | 'eventToAcceptSeconds'
> {
  return {
    attempts: new Counter({
      name: 'auditing_alert_attempts_total',
      help: 'Requests to receivers, by what they answered: taken, retry or refused.',
      labelNames: ['receiver', 'outcome'],
      registers,
    }),
    deliveries: new Counter({
      name: 'auditing_alert_deliveries_total',
      help: 'Deliveries that ended, as delivered, dead or silenced.',
      labelNames: ['receiver', 'outcome'],
      registers,
    }),
    resent: new Counter({
      name: 'auditing_alert_alerts_resent_total',
      help: 'Delivered alerts sent again: to an Alertmanager that may lack them, or because they ended.',
      labelNames: ['receiver'],
      registers,
    }),
    handedOver: new Counter({
      name: 'auditing_alert_alerts_handed_over_total',
      help: 'Alerts handed to the fallback receiver because this one did not take them.',
      labelNames: ['receiver'],
      registers,
    }),
    acceptSeconds: new Histogram({
      name: 'auditing_alert_accept_seconds',
      help: 'Time from raising an alert to a receiver taking it.',
      labelNames: ['receiver'],
      buckets: ACCEPT_BUCKETS,
      registers,
    }),
    eventToAcceptSeconds: new Histogram({
      name: 'auditing_alert_event_to_accept_seconds',
      help: 'Time from the gateway receiving an event to a receiver taking its alert.',
      labelNames: ['receiver'],
      buckets: ACCEPT_BUCKETS,
      registers,
    }),
  };
}

/** Registers what is measured of an outbox when somebody asks. */
export function outboxMetrics(registry: Registry, outbox: Outbox, now: () => number): void {
  const registers = [registry];
  laneMetrics(registers, outbox, now);
  noiseMetrics(registers, outbox);
  new Gauge({
    name: 'auditing_alert_dead_letters',
    help: 'Deliveries that were given up and are kept.',
    registers,
    collect() {
      this.set(outbox.index.deadCount);
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

/** Registers what instances lack that others took: a label `instance` is there as long as its instance. */
export function instanceMetrics(
  registry: Registry,
  receivers: () => readonly ReceiverStatus[],
): void {
  new Counter({
    name: 'auditing_alert_instance_refused_alerts_total',
    help: 'Alerts that an instance of an Alertmanager refused and another one took.',
    labelNames: ['receiver', 'instance'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name: receiver, instances } of receivers()) {
        for (const { address, refusedCount } of instances) {
          this.inc({ receiver, instance: address }, refusedCount);
        }
      }
    },
  });
  new Gauge({
    name: 'auditing_alert_owed_alerts',
    help: 'Alerts that other instances of an Alertmanager took and this one has not had yet.',
    labelNames: ['receiver', 'instance'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name: receiver, instances } of receivers()) {
        for (const { address, owedCount } of instances) {
          this.set({ receiver, instance: address }, owedCount);
        }
      }
    },
  });
}

function laneMetrics(registers: Registry[], outbox: Outbox, now: () => number): void {
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
}

function noiseMetrics(registers: Registry[], outbox: Outbox): void {
  new Gauge({
    name: 'auditing_alert_digest_waiting_alerts',
    help: 'Alerts that wait for the next digest of a receiver.',
    labelNames: ['receiver'],
    registers,
    collect() {
      this.reset();
      for (const { receiver, deliveries } of outbox.state.piles.of()) {
        this.inc({ receiver }, deliveries.length);
      }
    },
  });
  new Gauge({
    name: 'auditing_alert_groups_open',
    help: 'Groups that further alerts may join.',
    registers,
    collect() {
      this.set(outbox.state.groups.size);
    },
  });
  new Counter({
    name: 'auditing_alert_groups_closed_early_total',
    help: 'Groups that were closed before their time, because too many were open.',
    registers,
    collect() {
      this.reset();
      this.inc(outbox.state.groups.closedEarlyCount);
    },
  });
}
