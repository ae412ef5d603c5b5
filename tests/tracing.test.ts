import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  traceCollector,
  type CollectedSpan,
  type TraceCollector,
} from '@auditing/service/testing/trace-collector';
import { post } from './post';
import { scratchFolder } from './processes';
import { startServices, type Stack } from './stack';

const SAMPLES = join(__dirname, '../samples');
/** A body with an event that raises an alert. */
const BODY = gunzipSync(readFileSync(join(SAMPLES, 'typical-0007.json.gz')));
const OTHER_BODY = gunzipSync(readFileSync(join(SAMPLES, 'typical-0008.json.gz')));

describe('a traced body, with four processes', () => {
  const scratch = scratchFolder();
  let collector: TraceCollector;
  let stack: Stack;

  beforeAll(async () => {
    collector = await traceCollector();
    stack = await startServices(scratch.path, {
      AUDITING_TRACING_ENDPOINT: collector.url,
      AUDITING_TRACING_SAMPLE_RATIO: '1',
    });
  });
  afterAll(async () => {
    await stack.stop();
    await collector.close();
    scratch.remove();
  });

  test('is one trace from the POST to the commits of archive and alert service', async () => {
    const traceId = 'c'.repeat(32);
    const headers = { traceparent: `00-${traceId}-${'d'.repeat(16)}-01` };
    expect((await post(stack.address('webhook'), BODY, headers)).status).toBe(200);
    const spans = await spansOfTrace(traceId, 9);
    expect(pathsOf(spans.filter((span) => !isBusy(span)))).toEqual([
      'gateway POST /audit/webhook/event',
      'gateway POST /audit/webhook/event > gateway alert',
      'gateway POST /audit/webhook/event > gateway alert > alert AlertService/Raise',
      'gateway POST /audit/webhook/event > gateway archive',
      'gateway POST /audit/webhook/event > gateway archive > archive ArchiveService/Append',
      'gateway POST /audit/webhook/event > gateway archive > archive ArchiveService/Append > archive commit',
      'gateway POST /audit/webhook/event > gateway decide',
      'gateway POST /audit/webhook/event > gateway decide > rule RuleService/Evaluate',
      'gateway POST /audit/webhook/event > gateway spool',
    ]);
    const batches = spans.flatMap(({ attributes }) => attributes['auditing.batch'] ?? []);
    expect(new Set(batches).size).toBe(1);
    expect(batches[0]).toMatch(/^[0-9a-f]{16}\/1\/0$/);
  });

  test('keeps its trace on disk while the archive is away and the gateway dies', async () => {
    const traceId = 'e'.repeat(32);
    const headers = { traceparent: `00-${traceId}-${'f'.repeat(16)}-01` };
    await stack.process('archive').kill();
    expect((await post(stack.address('webhook'), OTHER_BODY, headers)).status).toBe(200);
    await stack.crash('gateway');
    await stack.crash('archive');
    const commits = await spansOfTrace(traceId, 1, 'commit');
    expect(commits.map(({ service }) => service)).toEqual(['kube-auditing-archive']);
  });

  /** Waits for so many spans of a trace; they are sent every few seconds. */
  async function spansOfTrace(id: string, count: number, name?: string): Promise<CollectedSpan[]> {
    const giveUpAt = Date.now() + 60_000;
    for (;;) {
      const found = collector.spans.filter(
        (span) => span.traceId === id && (name === undefined || span.name === name),
      );
      if (found.filter((span) => !isBusy(span)).length >= count) return found;
      if (Date.now() > giveUpAt)
        throw new Error(`expected ${count} spans, got ${pathsOf(found).join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
});

/** A machine too busy for an answer in time gave 503, and the body was posted again. */
const isBusy = ({ attributes }: CollectedSpan): boolean =>
  Number(attributes['http.response.status_code']) === 503;

/** Each span with its ancestors, sorted. */
function pathsOf(spans: readonly CollectedSpan[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const path = (span: CollectedSpan): string => {
    const parent = byId.get(span.parentSpanId);
    const own = `${span.service.replace('kube-auditing-', '')} ${span.name}`;
    return parent ? `${path(parent)} > ${own}` : own;
  };
  return spans.map(path).sort();
}
