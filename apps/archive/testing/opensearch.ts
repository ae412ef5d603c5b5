import { randomUUID } from 'node:crypto';

import { pino } from 'pino';

import type { Engine } from '../engine';
import { connect, type OpenSearch } from '../opensearch/connect';
import {
  openOpensearchEngine,
  type OpensearchEngine,
  type OpensearchOptions,
} from '../opensearch/opensearch-engine';
import { DAY_ONE_US } from './batches';
import { never } from './engines';

/** A real OpenSearch that runs already; undefined where there is none. */
export const OPENSEARCH_URL = process.env['OPENSEARCH_URL'];

/**
 * `describe`, if there is an OpenSearch; else the tests are skipped under a name that says what they need, which the report
 * at the end of a run looks for.
 */
export function describeWithOpensearch(name: string, tests: () => void): void {
  const title = `needs opensearch: ${name}`;
  if (OPENSEARCH_URL === undefined || OPENSEARCH_URL === '') describe.skip(title, tests);
  else describe(title, tests);
}

/** Tests that are skipped make their connections too; they send nothing. */
const NOWHERE = 'http://127.0.0.1:9';

/** A connection to it, or to what stands in front of it. */
export function connectTo(url: string = OPENSEARCH_URL || NOWHERE): OpenSearch {
  return connect({
    nodes: [url],
    username: undefined,
    password: undefined,
    tls: { ca: undefined, cert: undefined, key: undefined },
    timeoutMs: 30_000,
  });
}

/** Indices that no other test touches. */
export function ownPrefix(): string {
  return `test-${randomUUID()}`;
}

/** Opens an engine with indices of its own. */
export function openOpensearch({
  prefix,
  ...options
}: Partial<OpensearchOptions> & { readonly prefix: string }): OpensearchEngine {
  return openOpensearchEngine({
    opensearch: connectTo(),
    shape: { prefix, shardCount: 1, replicaCount: 0 },
    retention: { ageMs: 2 ** 40, bytes: undefined },
    queryTimeoutMs: 60_000,
    log: pino({ level: 'silent' }),
    now: () => DAY_ONE_US / 1000,
    ...options,
  });
}

/** The engine, with every event found as soon as it is stored, as the embedded engine has it. */
export function searchableAtOnce(engine: OpensearchEngine, prefix: string): Engine {
  const opensearch = connectTo();
  return {
    append: async (...batch) => {
      const appended = await engine.append(...batch);
      await refresh(opensearch, prefix);
      return appended;
    },
    search: (...asked) => engine.search(...asked),
    get: (...asked) => engine.get(...asked),
    statistics: (...asked) => engine.statistics(...asked),
    histogram: (...asked) => engine.histogram(...asked),
    facets: (...asked) => engine.facets(...asked),
    tail: (...asked) => engine.tail(...asked),
    verify: (...asked) => engine.verify(...asked),
    stats: (...asked) => engine.stats(...asked),
    maintain: () => engine.maintain(),
    gauges: () => engine.gauges(),
    close: async () => {
      await engine.close();
      await opensearch.close();
    },
  };
}

/** Makes searches show all that is stored. */
export async function refresh(opensearch: OpenSearch, prefix: string): Promise<void> {
  await opensearch.request({ method: 'POST', path: `/${prefix}-*/_refresh` }, never);
}

/** Removes all that the engines of a prefix have made. */
export async function removeIndices(prefix: string): Promise<void> {
  const opensearch = connectTo();
  for (const path of [
    `/${prefix}-*,auditing-marks-${prefix}`,
    `/_index_template/auditing-${prefix}`,
  ]) {
    await opensearch
      .request({ method: 'DELETE', path, parameters: { ignore_unavailable: true } }, never)
      .catch(() => undefined);
  }
  await opensearch.close();
}
