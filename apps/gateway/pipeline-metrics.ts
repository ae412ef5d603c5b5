import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Seconds; the decision of a batch takes milliseconds unless the rule service is away. */
const DECISION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];

/** What the draining half of the gateway counts. */
export type PipelineMetrics = ReturnType<typeof pipelineMetrics>;

/** Registers the metrics. */
export function pipelineMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <Label extends string = never>(name: string, help: string, labels?: Label[]) =>
    new Counter<Label>({ name, help, registers, labelNames: labels ?? [] });
  return {
    ignored: counter('auditing_gateway_events_ignored_total', 'Events that no rule matched.'),
    disabled: counter(
      'auditing_gateway_events_disabled_total',
      'Events left out by k8sAuditingEnabled or auditLevel None.',
    ),
    stripped: counter(
      'auditing_gateway_events_stripped_total',
      'Kept events whose request or response body the audit level removed.',
    ),
    kept: counter('auditing_gateway_events_kept_total', 'Events that the rules keep.'),
    refused: counter(
      'auditing_gateway_events_refused_total',
      'Events that a service refused for good; they lie among the dead letters.',
      ['service'],
    ),
    lostParts: counter(
      'auditing_gateway_lost_parts_total',
      'Parts of bodies that the disk lost or damaged after they were answered with 200.',
    ),
    alerts: counter('auditing_gateway_alerts_total', 'Alerts that the rules raise.'),
    retries: counter('auditing_gateway_retries_total', 'Calls that failed and are tried again.', [
      'service',
    ]),
    decisionSeconds: new Histogram({
      name: 'auditing_gateway_decision_seconds',
      help: 'Time from taking a part out of the spool to its verdicts.',
      buckets: DECISION_BUCKETS,
      registers,
    }),
    inFlight: new Gauge({
      name: 'auditing_gateway_batches_in_flight',
      help: 'Batches being worked on.',
      labelNames: ['stage'],
      registers,
    }),
  };
}

/** Registers the gauge to alert on: the age of the oldest event that is not archived. */
export function watchOldest(registry: Registry, oldestUs: () => number | undefined): void {
  new Gauge({
    name: 'auditing_gateway_oldest_unarchived_seconds',
    help: 'Age of the oldest received event that is neither archived nor ignored yet; 0 if there is none.',
    registers: [registry],
    collect() {
      const oldest = oldestUs();
      this.set(oldest === undefined ? 0 : Math.max(0, Date.now() / 1e3 - oldest / 1e6));
    },
  });
}
