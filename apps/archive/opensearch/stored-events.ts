import { KEY_BYTES } from '@auditing/audit-event/event-key';
import { typedEvent } from '@auditing/audit-event/typed-event';
import { Source, Strip, type AuditEvent } from '@auditing/proto/event';

import { archivedBytes, STRIP_WORDS, type KeptFacts } from './event-document';
import type { Hit, Searched } from './hits';

/** Events read at once, so many or so many bytes: what a search holds in memory. */
const READ_EVENTS = 500;
const READ_BYTES = 4 * 2 ** 20;

/** An event, read. */
export interface StoredEvent {
  readonly key: Buffer;
  readonly bytes: Buffer;
  readonly kept: KeptFacts;
}

/** Documents that could not be read, for metrics and log. */
export type OnDamage = (
  error: unknown,
  document: { readonly index: string; readonly id: string },
) => void;

/** What reading works on. */
export interface Reading extends Searched {
  readonly onDamage: OnDamage;
}

interface MultiGetAnswer {
  readonly docs: readonly {
    readonly _index: string;
    readonly _id: string;
    readonly found?: boolean;
    readonly _source?: { readonly Kept?: KeptFacts };
  }[];
}

/**
 * Reads the events of hits, part by part, in their order. One that is damaged is reported and passed over, one that
 * retention has removed meanwhile too.
 */
export async function* storedEvents<Found extends Pick<Hit, 'index' | 'id' | 'bytes'>>(
  found: readonly Found[],
  reading: Reading,
): AsyncIterable<readonly { readonly hit: Found; readonly event: StoredEvent }[]> {
  for (const part of parts(found)) {
    const { docs } = await reading.opensearch.request<MultiGetAnswer>(
      {
        method: 'POST',
        path: '/_mget',
        parameters: { realtime: false, _source_includes: 'Kept' },
        body: { docs: part.map(({ index, id }) => ({ _index: index, _id: id })) },
      },
      reading.signal,
    );
    const events = await Promise.all(
      part.map(async (hit, at) => {
        const event = await readEvent(hit, docs[at]?._source?.Kept, reading);
        return event === undefined ? [] : [{ hit, event }];
      }),
    );
    yield events.flat();
  }
}

/** The event of a document; undefined if it is not there or damaged. */
export async function readEvent(
  { index, id }: Pick<Hit, 'index' | 'id'>,
  kept: KeptFacts | undefined,
  { onDamage }: Pick<Reading, 'onDamage'>,
): Promise<StoredEvent | undefined> {
  if (kept === undefined) return undefined;
  try {
    const key = Buffer.from(kept.Key ?? id, 'base64url');
    if (key.length !== KEY_BYTES) throw new Error(`${id} is no key of an event`);
    return { key, bytes: await archivedBytes(kept), kept };
  } catch (error) {
    onDamage(error, { index, id });
    return undefined;
  }
}

/** The event as queries give it. */
export function typedStoredEvent(
  { key, bytes, kept }: StoredEvent,
  includeRaw: boolean,
): AuditEvent {
  return typedEvent(bytes, {
    key,
    listSource: sourceOf(kept.Source),
    receivedAtUs: kept.ReceivedAtUs,
    workspace: kept.Workspace ?? '',
    rules: kept.Rules,
    message: kept.Findings.find(({ Message }) => Message !== '')?.Message ?? '',
    strip: stripOf(kept.Strip),
    includeRaw,
  });
}

function sourceOf(word: string | undefined): Source {
  if (word === 'kubernetes') return Source.KUBERNETES;
  return word === 'kube-ai-hub' ? Source.KUBE_AI_HUB : Source.UNSPECIFIED;
}

function stripOf(word: string | undefined): Strip {
  const [strip] = [...STRIP_WORDS].find(([, name]) => name === word) ?? [];
  return strip ?? Strip.UNSPECIFIED;
}

function* parts<Found extends Pick<Hit, 'bytes'>>(
  found: readonly Found[],
): Iterable<readonly Found[]> {
  let part: Found[] = [];
  let bytes = 0;
  for (const hit of found) {
    if (part.length > 0 && (part.length === READ_EVENTS || bytes + hit.bytes > READ_BYTES)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(hit);
    bytes += hit.bytes;
  }
  if (part.length > 0) yield part;
}
