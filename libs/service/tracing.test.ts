import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closers } from './closers';
import { start } from './start';
import type { Runtime } from './service';
import { testRuntime } from './testing/runtime';
import { traceCollector, type TraceCollector } from './testing/trace-collector';
import { NO_TRACING, openTracing, traced, type Tracing } from './tracing';

const never = new AbortController().signal;
const TRACE_PARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/;

let collector: TraceCollector;
const logged: Record<string, unknown>[] = [];
let runtime: Runtime;
let close: () => Promise<void>;

beforeEach(async () => {
  collector = await traceCollector();
  logged.length = 0;
  runtime = testRuntime((line) => logged.push(line));
});
afterEach(() => collector.close());

async function open(sampleRatio: number): Promise<Tracing> {
  const opened = closers(runtime.log);
  close = opened.closeAll;
  const means = { ...runtime, service: 'gateway', closeLater: opened.add };
  return openTracing({ endpoint: collector.url, sampleRatio }, means);
}

async function spansBy(outcome: string): Promise<number> {
  const values = (await runtime.metrics.getSingleMetric('auditing_tracing_spans_total')?.get())
    ?.values;
  return values?.find(({ labels }) => labels['outcome'] === outcome)?.value ?? 0;
}

test('steps reach the collector as one trace, with what they say of themselves', async () => {
  const tracing = await open(1);
  const root = tracing.begin('POST');
  expect(root.traceParent).toMatch(TRACE_PARENT);
  const step = tracing.step('spool', root.traceParent, {
    attributes: { 'auditing.batch': 'e/1/0', 'auditing.events': 3 },
  });
  step.end({ error: new Error('disk full') });
  root.end({ attributes: { 'http.response.status_code': '503' } });
  await close();

  const spans = new Map(collector.spans.map((span) => [span.name, span]));
  const post = spans.get('POST');
  expect(post).toMatchObject({
    service: 'kube-auditing-gateway',
    parentSpanId: '',
    failed: false,
    attributes: { 'http.response.status_code': '503' },
  });
  expect(spans.get('spool')).toMatchObject({
    traceId: post?.traceId,
    parentSpanId: post?.spanId,
    failed: true,
    attributes: { 'auditing.batch': 'e/1/0', 'auditing.events': '3' },
  });
  expect(await spansBy('recorded')).toBe(2);
  expect(await spansBy('sent')).toBe(2);
});

test("a sender's trace is gone on with, whatever its flags; what is no traceparent begins a new one", async () => {
  const tracing = await open(1);
  const traceId = 'a'.repeat(32);
  tracing.begin('known', `00-${traceId}-${'b'.repeat(16)}-00`).end();
  tracing.begin('zero', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`).end();
  tracing.begin('rubbish', '<script>').end();
  await close();
  const ids = new Map(collector.spans.map((span) => [span.name, span.traceId]));
  expect(ids.get('known')).toBe(traceId);
  expect(ids.get('zero')).not.toBe('0'.repeat(32));
  expect(ids.get('rubbish')).toMatch(/^[0-9a-f]{32}$/);
});

test('what the ratio does not pick is not traced, and nothing that it causes', async () => {
  const tracing = await open(0);
  const root = tracing.begin('POST', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`);
  expect(root.traceParent).toBe('');
  const step = tracing.step('spool', root.traceParent);
  expect(step).toBe(root);
  step.end();
  await close();
  expect(collector.spans).toEqual([]);
});

test('a collector that refuses is logged once and costs nothing but its spans, which are counted', async () => {
  collector.answer(400);
  const tracing = await open(1);
  tracing.begin('one').end();
  await close();
  expect(await spansBy('failed')).toBe(1);
  expect(logged.filter(({ msg }) => msg === 'traces cannot be sent')).toHaveLength(1);
});

describe('a handler of traced requests', () => {
  const handler = ({ traceParent }: { traceParent: string }): Promise<string> =>
    traceParent === 'fail' ? Promise.reject(new Error('no')) : Promise.resolve(traceParent);

  test('gets the span of its own call as parent of what it does', async () => {
    const tracing = await open(1);
    const root = tracing.begin('POST');
    const answer = await traced(tracing, 'ArchiveService/Append', handler)(root, never);
    await close();
    expect(collector.spans).toHaveLength(1);
    expect(answer).toContain(collector.spans[0]?.spanId);
  });

  test('is called as it is where nothing is traced', async () => {
    const request = { traceParent: '' };
    const direct = traced(NO_TRACING, 'X/Y', (given) => Promise.resolve(given));
    await expect(direct(request, never)).resolves.toBe(request);
  });
});

test('an app without an endpoint does not load OpenTelemetry', async () => {
  const app = {
    name: 'test',
    settings: {},
    adminPort: 0,
    setUp: ({ tracing }: Runtime) =>
      Promise.resolve({ addresses: { tracing: String(tracing === NO_TRACING) } }),
  };
  const started = await start(app, { AUDITING_ADMIN_PORT: '0' }, runtime.log);
  expect(started.addresses['tracing']).toBe('true');
  await started.stop();
  // In the bundle it is a chunk of its own: nothing else of this library names the packages.
  const users = readdirSync(__dirname)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .filter((file) => readFileSync(join(__dirname, file), 'utf8').includes("'@opentelemetry/"));
  expect(users).toEqual(['otlp-tracing.ts']);
});
