import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { operatorMetrics } from '@auditing/operator/metrics';
import { readSettings } from '@auditing/service/settings';
import { openTracing } from '@auditing/service/tracing';
import { testRuntime } from '@auditing/service/testing/runtime';
import { standaloneService } from '@auditing/standalone/service';
import type { Registry } from 'prom-client';

const ROOT = join(__dirname, '..');

/** One metric, as its registry has it. */
export interface MetricFacts {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** Starts every app, and gives the metrics that they register, by name. */
export async function allMetrics(): Promise<readonly MetricFacts[]> {
  const folder = mkdtempSync(join(tmpdir(), 'auditing-metrics-'));
  const runtime = testRuntime();
  try {
    const config = readSettings(standaloneService.settings, {
      AUDITING_DATA_DIR: folder,
      AUDITING_CONFIG_DIR: join(ROOT, 'config'),
      AUDITING_WEBHOOK_PORT: '0',
      AUDITING_API_PORT: '0',
      AUDITING_GRPC_LISTEN: '127.0.0.1:0',
    });
    const tracing = await openTracing(
      { endpoint: 'http://127.0.0.1:9/v1/traces', sampleRatio: 0 },
      { ...runtime, service: 'test' },
    );
    await standaloneService.setUp({ ...runtime, config, tracing });
    // It works with a cluster alone, so it is no part of standalone.
    operatorMetrics(runtime.metrics, () => new Map());
    return factsOf(runtime.metrics);
  } finally {
    await runtime.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function factsOf(registry: Registry): readonly MetricFacts[] {
  // prom-client keeps the names of labels to itself.
  const metrics = registry.getMetricsAsArray() as unknown as {
    readonly name: string;
    readonly help: string;
    readonly type: string;
    readonly labelNames: readonly string[];
  }[];
  return metrics
    .map(({ name, help, labelNames, constructor }) => ({
      name,
      type: constructor.name.toLowerCase(),
      labels: labelNames,
      help,
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
}
