import { createHash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';

import { compressBlock, decompressBlock } from '@auditing/audit-event/block';
import type { DecodedEvent } from '@auditing/audit-event/decoded-event';
import { KEY_BYTES } from '@auditing/audit-event/event-key';
import type { JsonValue } from '@auditing/audit-event/event-fields';
import { valueText } from '@auditing/audit-event/json-text';
import type { KubesphereDocument } from '@auditing/audit-event/kubesphere-document';
import { type Codec, Field, Strip, type BatchId, type EventBatch } from '@auditing/proto/event';
import type { KeptBatch } from '@auditing/proto/archive';

import { eventTimeUs, ownTimeUs } from '../event-time';
import { VALUE_MAX_LENGTH } from './field-paths';
import { kubesphereFields } from './kubesphere-fields';
import { findingsOf, type KeptFinding } from './kept-finding';

/** Larger events are compressed: their words are not indexed, so a search for text reads each of them. */
const TEXT_MAX_BYTES = 64 * 1024;

/** A word of 256 letters or more: the analyser of OpenSearch cuts it, so that a part of it may not be found. */
const LONG_WORD = /[A-Za-z\u0080-\uffff]{256}/;

/** What we know of an event besides KubeSphere's fields. Its names are those of the index template. */
export interface KeptFacts {
  /** The event's key, base64url; absent where it is the document's id. */
  readonly Key?: string;
  /** `kubernetes` or `kube-ai-hub`. */
  readonly Source?: string;
  /** By which it is found and sorted, in microseconds since 1970. */
  readonly TimeUs: number;
  readonly ReceivedAtUs: number;
  /** Its batch, and its place in the body: part * 2^32 + position. */
  readonly Epoch: string;
  readonly Sequence: number;
  readonly Place: number;
  readonly Groups: readonly string[];
  readonly SourceIPs: readonly string[];
  readonly Rules: readonly string[];
  /** The highest priority of these rules; absent where none is known. */
  readonly Priority?: string;
  readonly RuleSetVersion: string;
  readonly Findings: readonly KeptFinding[];
  /** What was removed: `response` or `bodies`; absent where nothing was. */
  readonly Strip?: string;
  /** The workspace that was filled in. */
  readonly Workspace?: string;
  /** The event's bytes as text; absent where they are in `Packed`. */
  readonly Event?: string;
  /** The event's bytes, compressed: large ones, and those that are not UTF-8. */
  readonly Packed?: { readonly Codec: Codec; readonly Data: string; readonly RawBytes: number };
  /** Length of the event. */
  readonly Bytes: number;
  /** True where a search for text cannot rely on the words of `Event`. */
  readonly SearchAlways?: boolean;
  /** Fields whose values are too long to be asked for. */
  readonly TooLong?: readonly string[];
}

/** What is stored of an event. */
export interface EventDocument {
  readonly Kept: KeptFacts;
  readonly [kubesphereField: string]: unknown;
}

/** A document on its way to OpenSearch. */
export interface DocumentToStore {
  /** The event's key, or for events that have no identity the place in their batch: base64url of 32 bytes. */
  readonly id: string;
  readonly timeUs: number;
  readonly receivedAtUs: number;
  readonly document: EventDocument;
}

/** One event of a batch, as document. */
export async function eventDocument(
  kept: KeptBatch,
  event: number,
  decoded: DecodedEvent,
): Promise<DocumentToStore> {
  const batch = kept.batch;
  if (batch === undefined) throw new Error('a batch is expected');
  const key = keyOf(batch, event);
  const timeUs = eventTimeUs(kept, event);
  const hasIdentity = ownTimeUs(kept, event) !== 0 && valueText(decoded.get('AuditID')) !== '';
  const { findings, priority, message, strip, workspace } = findingsOf(kept, event, decoded);
  const position = kept.positions[event] ?? 0;
  const source = sourceOf(batch, event);
  const fields = kubesphereFields(decoded, { message, workspace });
  const tooLong = tooLongFields(fields, decoded.bytes.length);
  return {
    id: hasIdentity ? key : idOfPlace(batch.id, position),
    timeUs,
    receivedAtUs: batch.receivedAtUs,
    document: {
      ...fields,
      Kept: {
        ...(hasIdentity ? {} : { Key: key }),
        ...(source === undefined ? {} : { Source: source }),
        TimeUs: timeUs,
        ReceivedAtUs: batch.receivedAtUs,
        Epoch: batch.id?.epoch ?? '',
        Sequence: Number(batch.id?.sequence ?? 0n),
        Place: (batch.id?.part ?? 0) * 2 ** 32 + position,
        Groups: textsOf(decoded.get('User.groups')),
        SourceIPs: textsOf(decoded.get('SourceIPs')),
        Rules: findings.map(({ Rule }) => Rule),
        ...(priority === '' ? {} : { Priority: priority }),
        RuleSetVersion: kept.verdicts?.ruleSetVersion ?? '',
        Findings: findings,
        ...(strip === Strip.UNSPECIFIED ? {} : { Strip: STRIP_WORDS.get(strip) ?? '' }),
        ...(workspace === '' ? {} : { Workspace: workspace }),
        ...(await bytesOf(decoded.bytes)),
        Bytes: decoded.bytes.length,
        ...(tooLong.length > 0 ? { TooLong: tooLong } : {}),
      },
    },
  };
}

/** The words for what was removed. */
export const STRIP_WORDS: ReadonlyMap<Strip, string> = new Map([
  [Strip.RESPONSE, 'response'],
  [Strip.BODIES, 'bodies'],
]);

/**
 * The bytes of the event of a document, as they were archived.
 *
 * Rejects with BlockError or Error if they are damaged.
 */
export async function archivedBytes({ Event, Packed, Bytes }: KeptFacts): Promise<Buffer> {
  const bytes =
    Packed === undefined
      ? Buffer.from(Event ?? '')
      : await decompressBlock({
          codec: Packed.Codec,
          data: Buffer.from(Packed.Data, 'base64'),
          rawBytes: Packed.RawBytes,
        });
  if (bytes.length === Bytes) return bytes;
  throw new Error(`the document says ${Bytes} bytes but holds ${bytes.length}; it is damaged`);
}

async function bytesOf(
  bytes: Buffer,
): Promise<Pick<KeptFacts, 'Event' | 'Packed' | 'SearchAlways'>> {
  if (bytes.length <= TEXT_MAX_BYTES && isUtf8(bytes)) {
    const text = bytes.toString();
    return LONG_WORD.test(text) ? { Event: text, SearchAlways: true } : { Event: text };
  }
  const { codec, data, rawBytes } = await compressBlock([bytes]);
  return {
    Packed: { Codec: codec, Data: data.toString('base64'), RawBytes: rawBytes },
    SearchAlways: true,
  };
}

function keyOf(batch: EventBatch, event: number): string {
  return batch.keys.toString('base64url', event * KEY_BYTES, (event + 1) * KEY_BYTES);
}

/** The same whenever this batch is sent again, and no other event's: what has no identity is never merged. */
function idOfPlace(id: BatchId | undefined, position: number): string {
  const place = `${id?.epoch ?? ''}/${String(id?.sequence ?? 0n)}/${id?.part ?? 0}/${position}`;
  return createHash('sha256').update(place).digest('base64url');
}

function sourceOf({ columns }: EventBatch, event: number): string | undefined {
  const column = columns.find(({ field }) => field === Field.SOURCE);
  return column?.values[(column.rows[event] ?? 0) - 1];
}

function textsOf(value: JsonValue | undefined): string[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value)
    ? value.map((item: JsonValue) => valueText(item))
    : [valueText(value)];
}

/** Paths, as in field-paths.ts without `.keyword`, of values that OpenSearch does not index. */
function tooLongFields(fields: KubesphereDocument, eventBytes: number): string[] {
  // Nothing in a short event is long.
  if (eventBytes <= VALUE_MAX_LENGTH) return [];
  return Object.entries(fields).flatMap(([name, value]) => {
    if (typeof value === 'string') return value.length > VALUE_MAX_LENGTH ? [name] : [];
    if (value === null || typeof value !== 'object') return [];
    return Object.entries(value).flatMap(([nested, text]) =>
      typeof text === 'string' && text.length > VALUE_MAX_LENGTH ? [`${name}.${nested}`] : [],
    );
  });
}
