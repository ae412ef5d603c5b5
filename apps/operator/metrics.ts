import { Counter, Gauge, type Registry } from 'prom-client';
import type { Applied } from './apply';
import type { OrphanedVolumes } from './orphaned-volumes';

/** What the operator counts. */
export interface OperatorMetrics {
  readonly reconciled: (outcome: 'done' | 'failed') => void;
  readonly applied: (kind: string, outcome: Applied['outcome']) => void;
  readonly leading: (isLeading: boolean) => void;
  /** The certificate of a Secret that the operator made, as it is now. */
  readonly certificate: (secret: string, endsAt: Date) => void;
  readonly admitted: (kind: string, answer: 'allowed' | 'refused' | 'failed') => void;
}

/** @param orphaned tells which volumes no gateway uses, when metrics are collected */
export function operatorMetrics(
  registry: Registry,
  orphaned: () => OrphanedVolumes,
): OperatorMetrics {
  const registers = [registry];
  const reconciles = new Counter({
    name: 'auditing_operator_reconciles_total',
    help: 'Webhook resources looked at, by outcome; failed ones are tried again.',
    labelNames: ['outcome'],
    registers,
  });
  const applies = new Counter({
    name: 'auditing_operator_applies_total',
    help: 'Objects written: created, or repaired because they were not as wanted.',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const leads = new Gauge({
    name: 'auditing_operator_leading',
    help: '1 in the replica that makes gateways.',
    registers,
  });
  const expiry = new Gauge({
    name: 'auditing_operator_certificate_expiry_timestamp_seconds',
    help: 'When the certificates end that the operator makes, by Secret, as seconds since 1970; in the replica that leads.',
    labelNames: ['secret'],
    registers,
  });
  const admissions = new Counter({
    name: 'auditing_operator_admissions_total',
    help: 'Resources that the admission webhook was asked about, by answer.',
    labelNames: ['kind', 'answer'],
    registers,
  });
  registry.registerMetric(volumesGauge(orphaned));
  return {
    reconciled: (outcome) => reconciles.inc({ outcome }),
    applied: (kind, outcome) => applies.inc({ kind, outcome }),
    leading(isLeading) {
      leads.set(isLeading ? 1 : 0);
      // What another one renews is not known here.
      if (!isLeading) expiry.reset();
    },
    certificate: (secret, endsAt) => expiry.set({ secret }, endsAt.getTime() / 1_000),
    admitted: (kind, answer) => admissions.inc({ kind, answer }),
  };
}

function volumesGauge(orphaned: () => OrphanedVolumes): Gauge {
  return new Gauge({
    name: 'auditing_operator_orphaned_volumes',
    help: 'Volumes that no gateway uses and that may hold acknowledged events: scale up again to drain them.',
    labelNames: ['webhook'],
    registers: [],
    collect() {
      this.reset();
      for (const [webhook, names] of orphaned()) this.set({ webhook }, names.length);
    },
  });
}
