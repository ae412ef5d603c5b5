import {
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span as OtelSpan,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  NodeTracerProvider,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-node';
import type { Logger } from 'pino';
import { Counter } from 'prom-client';
import type { Span, Tracing, TracingMeans } from './tracing';

/** Spans wait so long to be sent together. */
const SEND_EVERY_MS = 2_000;
/** A collector that takes longer is away: what waits for it is dropped. Well below the stop deadline of run.ts. */
const SEND_TIMEOUT_MS = 5_000;
/** Spans kept for a slow collector; more are dropped. A span takes about 1 KB. */
const QUEUE_MAX = 4_096;
/** As OpenTelemetry recommends. */
const SEND_MAX = 512;

/** `00-<trace id>-<span id>-<flags>`: https://www.w3.org/TR/trace-context/. */
const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT } as const;

/**
 * Tracing by OpenTelemetry, sent to a collector. Records whatever it is asked to: sampling is the caller's. A collector
 * that is away costs spans, which are counted, and nothing else.
 */
export function otlpTracing(
  endpoint: string,
  means: TracingMeans,
): { readonly tracing: Tracing; readonly close: () => Promise<void> } {
  const spans = new Counter({
    name: 'auditing_tracing_spans_total',
    help: 'Spans of traced batches: recorded, sent to the collector, failed to be sent. Recorded ones that are neither wait, or were dropped.',
    labelNames: ['outcome'],
    registers: [means.metrics],
  });
  const provider = openProvider(endpoint, means, spans);
  const tracer = provider.getTracer('kube-auditing');
  const begun = (span: OtelSpan): Span => begunSpan(span, spans);
  return {
    tracing: {
      begin: (name, sender) =>
        begun(tracer.startSpan(name, { kind: SpanKind.SERVER }, contextOf(sender))),
      step(name, traceParent, { kind, attributes } = {}) {
        const options = {
          kind: kind ? KINDS[kind] : SpanKind.INTERNAL,
          ...(attributes && { attributes }),
        };
        return begun(tracer.startSpan(name, options, contextOf(traceParent)));
      },
    },
    // What could not be sent is counted and logged already.
    close: () => provider.shutdown().catch(() => undefined),
  };
}

type SpanCounter = Counter<'outcome'>;

function openProvider(
  endpoint: string,
  { service, log }: TracingMeans,
  spans: SpanCounter,
): NodeTracerProvider {
  const exporter = watched(
    new OTLPTraceExporter({ url: endpoint, timeoutMillis: SEND_TIMEOUT_MS }),
    spans,
    log,
  );
  return new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': `kube-auditing-${service}` }),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [
      new BatchSpanProcessor(exporter, {
        scheduledDelayMillis: SEND_EVERY_MS,
        exportTimeoutMillis: SEND_TIMEOUT_MS,
        maxQueueSize: QUEUE_MAX,
        maxExportBatchSize: SEND_MAX,
      }),
    ],
  });
}

function begunSpan(span: OtelSpan, spans: SpanCounter): Span {
  const { traceId, spanId } = span.spanContext();
  return {
    traceParent: `00-${traceId}-${spanId}-01`,
    end({ error, attributes } = {}) {
      if (attributes) span.setAttributes(attributes);
      if (error !== undefined) {
        const message = error instanceof Error ? error.message : 'not an error';
        span.setStatus({ code: SpanStatusCode.ERROR, message });
      }
      span.end();
      spans.inc({ outcome: 'recorded' });
    },
  };
}

/** Whatever is no traceparent begins a new trace. */
function contextOf(traceParent: string | undefined): Context {
  const [, traceId = '', spanId = ''] = TRACE_PARENT.exec(traceParent ?? '') ?? [];
  const parent = { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
  return isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
}

/** The code of ExportResult that is no failure. */
const EXPORTED = 0;

/** The exporter, with its outcomes counted, and a line in the log when it begins or ceases to fail. */
function watched(exporter: SpanExporter, counter: SpanCounter, log: Logger): SpanExporter {
  let isFailing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const code: number = result.code;
        const failed = code !== EXPORTED;
        counter.inc({ outcome: failed ? 'failed' : 'sent' }, spans.length);
        if (failed && !isFailing) log.warn({ err: result.error }, 'traces cannot be sent');
        if (!failed && isFailing) log.info('traces are sent again');
        isFailing = failed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}
