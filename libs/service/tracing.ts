import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { ConfigOf } from './settings';
import { optional, ratio, url } from './setting-parsers';

/** Settings of traces. */
export const TRACING_SETTINGS = {
  endpoint: {
    variable: 'AUDITING_TRACING_ENDPOINT',
    parser: optional(url('http', 'https')),
    fallback: '',
    description:
      'Where traces are sent: OTLP over HTTP, protobuf, the whole URL (`http://collector:4318/v1/traces`). Empty: nothing is traced.',
  },
  sampleRatio: {
    variable: 'AUDITING_TRACING_SAMPLE_RATIO',
    parser: ratio,
    fallback: '0.01',
    description:
      'Share of the bodies that are traced, from 0 to 1; the gateway picks them, the other services follow.',
  },
} as const;

/** What the settings above give. */
export type TracingConfig = ConfigOf<typeof TRACING_SETTINGS>;

/** What a span says of its subject, by OpenTelemetry's names or ours, such as `auditing.batch`. */
export type Attributes = Readonly<Record<string, string | number>>;

/** A step that is being traced, or is not. */
export interface Span {
  /** Its W3C traceparent, to be sent along with what the step causes; empty if it is not traced. */
  readonly traceParent: string;
  /** Ends it; an error marks it as failed. */
  readonly end: (outcome?: { readonly error?: unknown; readonly attributes?: Attributes }) => void;
}

/** Begins spans. Parents are handed over explicitly, so that nothing is looked up for what is not traced. */
export interface Tracing {
  /**
   * Begins a trace for what came from outside, if the sample ratio picks it.
   *
   * @param sender traceparent that the sender sent; its flags are not obeyed: the sender does not decide what is traced.
   */
  readonly begin: (name: string, sender?: string) => Span;
  /**
   * Begins a step of a trace. Not traced if `traceParent` is empty.
   *
   * @param kind `server`: the parent is in another service that called.
   */
  readonly step: (
    name: string,
    traceParent: string,
    about?: { readonly kind?: 'server' | 'client'; readonly attributes?: Attributes },
  ) => Span;
}

/** The span of a step that is not traced. */
const NO_SPAN: Span = { traceParent: '', end: () => undefined };

/** Traces nothing. */
export const NO_TRACING: Tracing = { begin: () => NO_SPAN, step: () => NO_SPAN };

/** What sending traces needs. */
export interface TracingMeans {
  /** Name of the app. */
  readonly service: string;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly closeLater: (what: string, close: () => Promise<void>) => void;
}

/** Tracing as the settings say. OpenTelemetry is loaded only if traces are wanted. */
export async function openTracing(config: TracingConfig, means: TracingMeans): Promise<Tracing> {
  const { endpoint, sampleRatio } = config;
  if (endpoint === undefined) return NO_TRACING;
  const { otlpTracing } = await import('./otlp-tracing');
  const { tracing, close } = otlpTracing(endpoint, means);
  means.closeLater('traces', close);
  // Whatever is not traced has this one span.
  return {
    begin: (name, sender) => (Math.random() < sampleRatio ? tracing.begin(name, sender) : NO_SPAN),
    step: (name, traceParent, about) =>
      traceParent === '' ? NO_SPAN : tracing.step(name, traceParent, about),
  };
}

/** A request that names the span that caused it. */
interface TracedRequest {
  readonly traceParent: string;
}

/** Runs a handler of requests in a span of its own, for those that are traced. `name`: `ArchiveService/Append`. */
export function traced<Req extends TracedRequest, Res>(
  tracing: Tracing,
  name: string,
  handler: (request: Req, signal: AbortSignal) => Promise<Res>,
): (request: Req, signal: AbortSignal) => Promise<Res> {
  return (request, signal) => {
    if (request.traceParent === '') return handler(request, signal);
    const span = tracing.step(name, request.traceParent, { kind: 'server' });
    return ended(span, handler({ ...request, traceParent: span.traceParent }, signal));
  };
}

/** Ends a span with the outcome of its step, and gives that on. */
export async function ended<T>(span: Span, step: Promise<T>): Promise<T> {
  try {
    const result = await step;
    span.end();
    return result;
  } catch (error) {
    span.end({ error });
    throw error;
  }
}
