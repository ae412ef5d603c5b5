import { pino } from 'pino';

import { nodeFiles } from '@auditing/journal/node-files';
import { Order, SearchRequest, type SearchResponse } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';

import { openEmbeddedEngine, type EmbeddedEngine } from '../embedded/embedded-engine';
import type { EmbeddedOptions } from '../embedded/embedded-options';
import { SearchThreads } from '../embedded/search-threads';
import type { Engine } from '../engine';
import { checkSearch } from '../check-query';
import { DAY_ONE_US } from './batches';

export const never = new AbortController().signal;

const noThreads = new SearchThreads({
  script: new URL('file:///none'),
  count: 0,
  log: pino({ level: 'silent' }),
});

/** Opens an engine with small segments, so that a test has many. */
export function openEngine(
  options: Partial<EmbeddedOptions> & { readonly directory: string },
): Promise<EmbeddedEngine> {
  return openEmbeddedEngine({
    files: nodeFiles,
    log: pino({ level: 'silent' }),
    segment: { bytes: 2 ** 30, rows: 20, indexBytes: 2 ** 30, ageMs: 2 ** 40 },
    retention: { ageMs: 2 ** 40, bytes: 2 ** 40 },
    indexCacheBytes: 2 ** 20,
    queryTimeoutMs: 60_000,
    threads: noThreads,
    now: () => DAY_ONE_US / 1000,
    ...options,
  });
}

/** An answer, put together. */
export interface Answer {
  readonly events: readonly AuditEvent[];
  readonly nextCursor: string;
  readonly total: bigint;
}

/** Searches, and puts the parts of the answer together. */
export async function found(
  engine: Pick<Engine, 'search'>,
  request: Parameters<typeof SearchRequest.fromPartial>[0],
): Promise<Answer> {
  const events: AuditEvent[] = [];
  let last: SearchResponse | undefined;
  for await (const part of engine.search(checkSearch(SearchRequest.fromPartial(request)), never)) {
    events.push(...part.events);
    last = part;
  }
  return { events, nextCursor: last?.nextCursor ?? '', total: last?.total ?? 0n };
}

/** The archived bytes of all events, oldest first, as text; `latin1` keeps bytes that are not UTF-8 apart. */
export async function allTexts(
  engine: Pick<Engine, 'search'>,
  encoding: 'utf8' | 'latin1' = 'utf8',
): Promise<string[]> {
  const texts: string[] = [];
  let cursor = '';
  do {
    const page = await found(engine, {
      order: Order.OLDEST_FIRST,
      limit: 10_000,
      includeRaw: true,
      cursor,
    });
    texts.push(...page.events.map(({ raw }) => raw.toString(encoding)));
    cursor = page.nextCursor;
  } while (cursor !== '');
  return texts;
}
