import { ExportFormat, type ExportRequest, type ExportResponse } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';

import { allEvents } from '../all-events';
import type { Engine } from '../engine';
import { csv } from './csv';
import { ndjson } from './ndjson';
import { parquet } from './parquet';

/** Messages of an answer hold so much: archive.proto. */
const CHUNK_BYTES = 2 ** 20;
/** What is smaller is put together first: a message for each event costs more than the event. */
const CHUNK_MIN_BYTES = 2 ** 18;

/** A file in pieces of any size, each with the number of events that it adds. */
export type ExportedFile = AsyncIterable<{ readonly data: Buffer; readonly eventCount: number }>;

/** Where an export may put what it cannot keep in memory, and until when it is wanted. */
export interface ExportPlace {
  readonly scratchFolder: string;
  readonly signal: AbortSignal;
}

/** Gives all events that fit as one file, in chunks. */
export async function* exportEvents(
  engine: Pick<Engine, 'search'>,
  request: ExportRequest,
  place: ExportPlace,
): AsyncIterable<ExportResponse> {
  const file = written(request.format, allEvents(engine, request, place.signal), place);
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let eventCount = 0n;
  for await (const piece of file) {
    eventCount += BigInt(piece.eventCount);
    waiting.push(piece.data);
    waitingBytes += piece.data.length;
    if (waitingBytes < CHUNK_MIN_BYTES) continue;
    yield* chunks(Buffer.concat(waiting), eventCount);
    waiting = [];
    waitingBytes = 0;
  }
  yield* chunks(Buffer.concat(waiting), eventCount);
}

function written(
  format: ExportFormat,
  events: AsyncIterable<AuditEvent>,
  place: ExportPlace,
): ExportedFile {
  switch (format) {
    case ExportFormat.CSV:
      return csv(events);
    case ExportFormat.PARQUET:
      return parquet(events, place);
    case ExportFormat.NDJSON:
    case ExportFormat.UNSPECIFIED:
    case ExportFormat.UNRECOGNIZED:
      return ndjson(events);
  }
}

function* chunks(data: Buffer, eventCount: bigint): Iterable<ExportResponse> {
  for (let at = 0; at < data.length; at += CHUNK_BYTES) {
    yield { data: data.subarray(at, at + CHUNK_BYTES), eventCount };
  }
}
