import { status } from '@grpc/grpc-js';
import { BlockError } from '@auditing/audit-event/block';
import { decodedEvents } from '@auditing/audit-event/decoded-batch';
import type { KeptBatch } from '@auditing/proto/archive';
import { Source, type BatchId, type EventBatch } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';

import type { Appended } from '../engine';
import type { BulkLine, BulkWriter } from './bulk-writer';
import type { OpenSearch } from './connect';
import { documentLine } from './document-line';
import { eventDocument, type DocumentToStore } from './event-document';
import { COMPLETE, PAGE_MAX } from './hits';
import type { IndexKeeper } from './index-keeper';
import type { IndexNames } from './index-day';
import type { MarkStore } from './mark-store';

/** How many of the events that OpenSearch refuses an error names. */
const REFUSED_NAMED = 3;

/** What the writer works with. */
export interface WriterParts {
  readonly opensearch: Pick<OpenSearch, 'request'>;
  readonly keeper: IndexKeeper;
  readonly bulk: BulkWriter;
  readonly marks: MarkStore;
  readonly names: IndexNames;
  /** Ends requests when the engine closes. */
  readonly signal: AbortSignal;
}

/**
 * Stores a batch: every event that its marks do not know, as a document of its own. The document's id makes it stored
 * once, however often it is sent; the mark is made when every document has been answered for.
 *
 * @throws INVALID_ARGUMENT if OpenSearch will never take one of the events: all others are stored then; UNAVAILABLE
 *   if some could not be stored now.
 */
export async function writeBatch(
  kept: KeptBatch,
  settledBelow: bigint,
  parts: WriterParts,
): Promise<Appended> {
  const batch = kept.batch;
  const id = batch?.id;
  if (batch === undefined || id === undefined) return { archivedCount: 0, duplicateCount: 0 };
  const documents = await documentsOf(kept, { batch, id }, parts);
  const lines = await unknownLines(documents, parts);
  await parts.keeper.ensure(
    lines.map(({ index }) => index),
    parts.signal,
  );
  const written = await parts.bulk.write(lines);
  const refused = written.flatMap((outcome) => (outcome.kind === 'refused' ? [outcome.why] : []));
  if (refused.length > 0) throw refusal(refused, batch.eventCount);
  await parts.marks.mark(id, settledBelow);
  const archivedCount = written.filter(({ kind }) => kind === 'created').length;
  return { archivedCount, duplicateCount: batch.eventCount - archivedCount };
}

/** The documents of the events that no mark covers. */
async function documentsOf(
  kept: KeptBatch,
  { batch, id }: { readonly batch: EventBatch; readonly id: BatchId },
  { marks }: WriterParts,
): Promise<DocumentToStore[]> {
  const taken = await marks.taken(id);
  const isTaken = (position: number): boolean =>
    taken.some(({ first, end }) => position >= first && position < end);
  if (kept.positions.every(isTaken)) return [];
  const events = await readable(batch);
  const documents: DocumentToStore[] = [];
  for (const [at, event] of events.entries()) {
    if (isTaken(kept.positions[at] ?? 0)) continue;
    documents.push(await eventDocument(kept, at, event));
  }
  return documents;
}

async function readable(batch: EventBatch): ReturnType<typeof decodedEvents> {
  try {
    return await decodedEvents(batch, Source.UNSPECIFIED);
  } catch (error) {
    if (!(error instanceof BlockError || error instanceof SyntaxError)) throw error;
    throw new RpcError(status.INVALID_ARGUMENT, `kept.batch.block: ${error.message}`, {
      cause: error,
    });
  }
}

/**
 * The documents as lines, without those that lie in another index than their own time says. That happens to events
 * with times far from their receipt: received again on another day, they would go to another index.
 */
async function unknownLines(
  documents: readonly DocumentToStore[],
  { opensearch, names, signal }: WriterParts,
): Promise<BulkLine[]> {
  const indexOf = ({ timeUs, receivedAtUs }: DocumentToStore): string =>
    names.ofTime(timeUs, receivedAtUs);
  const moved = documents.filter((one) => indexOf(one) !== names.ofTime(one.timeUs, one.timeUs));
  const known = new Set<string>();
  for (let at = 0; at < moved.length; at += PAGE_MAX) {
    const values = moved.slice(at, at + PAGE_MAX).map(({ id }) => id);
    const { hits } = await opensearch.request<{ hits: { hits: { _id: string }[] } }>(
      {
        method: 'POST',
        path: `/${names.pattern}/_search`,
        parameters: COMPLETE,
        body: { query: { ids: { values } }, size: PAGE_MAX, _source: false },
      },
      signal,
    );
    for (const { _id } of hits.hits) known.add(_id);
  }
  return documents
    .filter(({ id }) => !known.has(id))
    .map((one) => ({ index: indexOf(one), id: one.id, json: documentLine(one.document) }));
}

function refusal(refused: readonly string[], eventCount: number): RpcError {
  const named = refused.slice(0, REFUSED_NAMED).join('; ');
  const others =
    refused.length > REFUSED_NAMED ? ` and ${refused.length - REFUSED_NAMED} more` : '';
  return new RpcError(
    status.INVALID_ARGUMENT,
    `OpenSearch refuses ${refused.length} of ${eventCount} events for good, the others are stored: ${named}${others}`,
  );
}
