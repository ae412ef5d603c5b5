import { Query, type TailRequest } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';
import { cancelled } from '@auditing/service/wait';

import { compileQuery } from './condition';
import { Pace } from './pace';
import type { CutEvent, RecordReader } from './record-reader';
import { readResumeToken, seenRows, writeResumeToken } from './resume-token';
import { scanSegment, type Scan } from './scan';
import type { SearchThreads } from './search-threads';
import { locate } from './row-places';
import type { IndexedSegment } from './segment-index';
import type { Segments } from './segments';

/** What a listener works on. */
export interface Tailed {
  readonly segments: Segments;
  readonly reader: RecordReader;
  readonly threads: SearchThreads;
  /** Resolves after more was stored, or when the signal aborts. */
  readonly stored: (signal: AbortSignal) => Promise<void>;
}

/**
 * Gives events as they are stored. A listener reads from the log at its own pace, so that a slow one costs no memory and
 * misses nothing but what retention removes before it comes to it.
 */
export async function* tail(
  request: TailRequest,
  tailed: Tailed,
  signal: AbortSignal,
): AsyncIterable<AuditEvent> {
  const { segments, reader, threads, stored } = tailed;
  const query = compileQuery(
    Query.fromPartial({ ...request.query, start: undefined, end: undefined }),
  );
  const pace = new Pace(Infinity, signal);
  let seen =
    request.resumeToken === ''
      ? { segmentStart: segments.current.start, rowCount: segments.current.rowCount }
      : await seenRows(
          await segments.snapshot(),
          readResumeToken(request.resumeToken, reader.journal.end),
        );
  for (;;) {
    const waiting = stored(signal);
    for (const segment of await segments.snapshot()) {
      if (segment.start < seen.segmentStart) continue;
      const fromRow = segment.start === seen.segmentStart ? seen.rowCount : 0;
      yield* eventsOf(
        segment,
        { query, pace, reader, threads, backwards: false, fromRow },
        request.includeRaw,
      );
      seen = { segmentStart: segment.start, rowCount: segment.summary.rowCount };
    }
    await waiting;
    if (signal.aborted) throw cancelled();
  }
}

async function* eventsOf(
  segment: IndexedSegment,
  scan: Scan,
  includeRaw: boolean,
): AsyncIterable<AuditEvent> {
  for await (const rows of scanSegment(segment, scan)) {
    const records = await segment.records();
    for (const row of rows) {
      const { position, event } = locate(records, row);
      const cut = await cutOf(scan.reader, position, event);
      if (cut === undefined) continue;
      const resumeToken = writeResumeToken(segment, row + 1);
      yield { ...cut.typed(includeRaw), resumeToken };
    }
  }
}

/** Here, so that a listener that is slow does not hold the whole record meanwhile. */
async function cutOf(
  reader: RecordReader,
  position: number,
  event: number,
): Promise<CutEvent | undefined> {
  return (await reader.readWhole(position))?.cut(event);
}
