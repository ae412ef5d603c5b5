import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the receiving half of the gateway counts. */
export interface ReceiveMetrics {
  /** Events that are durable in the spool, by `source`. */
  readonly eventsReceived: Counter<'source'>;
  /** Bodies, by the `code` of the answer; `gone` if the sender went away first. */
  readonly bodies: Counter<'code'>;
  /** Bytes of bodies that were answered 200, unpacked. */
  readonly bodyBytes: Counter;
  /** Bodies that were known from an earlier copy. */
  readonly resentBodies: Counter;
  /** Seconds from the last byte of a body to its answer. */
  readonly answerSeconds: Histogram;
  /** Dead letters kept, by `kind`. */
  readonly deadLetters: Counter<'kind'>;
  readonly deadLettersEvicted: Counter<'kind'>;
  /** TLS handshakes that failed, by the `code` of OpenSSL, such as one for a sender that does not know our CA. */
  readonly tlsErrors: Counter<'code'>;
}

/** What gauges read at the time of a scrape. */
export interface ReceiveLevels {
  readonly spool: { readonly bytes: number; readonly maxBytes: number };
  readonly deadLetters: { readonly count: number; readonly bytes: number };
}

/** From a quick group commit to the deadline of an answer. */
const ANSWER_BUCKETS_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15];

/** Registers the counters. Those with closed labels begin at 0, so that a first increase is seen as one. */
export function receiveMetrics(registry: Registry): ReceiveMetrics {
  const registers = [registry];
  const counter = <Label extends string = never>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ): Counter<Label> =>
    new Counter({ name: `auditing_gateway_${name}`, help, labelNames: [...labelNames], registers });
  const metrics: ReceiveMetrics = {
    eventsReceived: counter('events_received_total', 'Events durable in the spool.', ['source']),
    bodies: counter('bodies_total', 'Bodies, by the code of the answer.', ['code']),
    bodyBytes: counter('body_bytes_total', 'Bytes of bodies that were taken, unpacked.'),
    resentBodies: counter('resent_bodies_total', 'Bodies known from an earlier copy.'),
    answerSeconds: new Histogram({
      name: 'auditing_gateway_answer_seconds',
      help: 'From the last byte of a body to its answer.',
      buckets: ANSWER_BUCKETS_SECONDS,
      registers,
    }),
    deadLetters: counter('dead_letters_total', 'Dead letters kept.', ['kind']),
    deadLettersEvicted: counter(
      'dead_letters_evicted_total',
      'Dead letters that made room for newer ones.',
      ['kind'],
    ),
    tlsErrors: counter('tls_errors_total', 'TLS handshakes that failed.', ['code']),
  };
  for (const source of ['kubernetes', 'kube-ai-hub']) metrics.eventsReceived.inc({ source }, 0);
  for (const kind of ['body', 'item', 'event']) {
    metrics.deadLetters.inc({ kind }, 0);
    metrics.deadLettersEvicted.inc({ kind }, 0);
  }
  return metrics;
}

/** Registers gauges that read how full the stores are. */
export function watchLevels(registry: Registry, { spool, deadLetters }: ReceiveLevels): void {
  gauge(registry, 'spool_bytes', 'Bytes of the spool on disk.', () => spool.bytes);
  gauge(
    registry,
    'spool_limit_bytes',
    'Bytes of the spool from which on bodies are answered 503.',
    () => spool.maxBytes,
  );
  gauge(registry, 'dead_letters', 'Dead letters kept now.', () => deadLetters.count);
  gauge(registry, 'dead_letter_bytes', 'Bytes of dead letters on disk.', () => deadLetters.bytes);
}

/** Registers the gauge of the webhook's certificate. */
export function watchCertificate(registry: Registry, notAfter: () => Date): void {
  gauge(
    registry,
    'certificate_expiry_timestamp_seconds',
    "When the webhook's certificate ends, in seconds since 1970.",
    () => notAfter().getTime() / 1_000,
  );
}

/** Registers gauges that read how many bodies are in flight. */
export function watchBodies(
  registry: Registry,
  budget: { readonly usedBytes: number; readonly waitingCount: number },
): void {
  gauge(
    registry,
    'bodies_in_flight_bytes',
    'Memory taken by bodies in flight.',
    () => budget.usedBytes,
  );
  gauge(registry, 'bodies_waiting', 'Bodies that wait for memory.', () => budget.waitingCount);
}

function gauge(registry: Registry, ...[name, help, read]: [string, string, () => number]): void {
  new Gauge({
    name: `auditing_gateway_${name}`,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}
