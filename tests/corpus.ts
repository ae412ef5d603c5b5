import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const HERE = join(__dirname, '..');

/** The few bodies that the repository ships. */
export const SAMPLES_FOLDER = join(HERE, 'samples');

/** The large corpus beside the checkout where it is there, else the samples that the repository ships. */
const CORPUS_FOLDER = existsSync(join(HERE, '../shared/corpus'))
  ? join(HERE, '../shared/corpus')
  : SAMPLES_FOLDER;

/** One recorded body and what a straightforward reading finds in it. */
export interface RecordedBody {
  readonly name: string;
  readonly body: Buffer;
  readonly events: readonly RecordedEvent[];
}

/** One event of it. */
interface RecordedEvent {
  /** Its own bytes. */
  readonly bytes: Buffer;
  /** SHA-256 of them, in hexadecimal. */
  readonly key: string;
  /** Whether the shipped rules keep it, found out without our own rule engine. */
  readonly kept: boolean;
}

/** Every recorded body of a folder and below it, by name. */
export function recordedBodies(folder = CORPUS_FOLDER): RecordedBody[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.json.gz'))
    .sort()
    .map((name) => {
      const body = gunzipSync(readFileSync(join(folder, name)));
      return { name, body, events: eventsOf(body) };
    });
}

/** The same bodies with other audit ids: other bytes and so other keys, so that none counts as a duplicate of the old ones. */
export function variant(bodies: readonly RecordedBody[], round: number): RecordedBody[] {
  return bodies.map(({ name, body }) => {
    const text = body.toString('latin1').replaceAll(/"(auditID|AuditID)":"/g, `$&${round}-`);
    const changed = Buffer.from(text, 'latin1');
    return { name: `${name}#${round}`, body: changed, events: eventsOf(changed) };
  });
}

/** The distinct kept events of bodies, by key. */
export function keptEvents(bodies: readonly RecordedBody[]): Map<string, Buffer> {
  const kept = new Map<string, Buffer>();
  for (const { events } of bodies)
    for (const event of events) if (event.kept) kept.set(event.key, event.bytes);
  return kept;
}

/**
 * Cuts a body into events, one byte after the other: slow and plain on purpose, so that it shares no mistake with
 * the product. Objects at depth 1 below a list key, or at depth 0 where the top has no list.
 */
function eventsOf(body: Buffer): RecordedEvent[] {
  const isList = /^\s*\{("kind":"EventList"|"Items":)/.test(body.toString('latin1', 0, 100));
  const depthOfEvents = isList ? 2 : 0;
  const events: RecordedEvent[] = [];
  let depth = 0;
  let start = -1;
  let inString = false;
  for (let i = 0; i < body.length; i += 1) {
    const byte = body[i];
    if (inString) {
      if (byte === 0x5c) i += 1;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      if (depth === depthOfEvents && byte === 0x7b) start = i;
      depth += 1;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
      if (depth === depthOfEvents && byte === 0x7d && start >= 0) {
        events.push(recorded(body.subarray(start, i + 1)));
        start = -1;
      }
    }
  }
  return events;
}

interface PlainEvent {
  verb?: string;
  Verb?: string;
  objectRef?: { resource?: string; subresource?: string };
  ObjectRef?: { Resource?: string; Subresource?: string };
}

/** The shipped rules, in plain code: all but reads are archived, and whoever opens exec or attach. */
function recorded(bytes: Buffer): RecordedEvent {
  const event = JSON.parse(bytes.toString()) as PlainEvent;
  const verb = (event.verb ?? event.Verb ?? '').toLowerCase();
  const resource = event.objectRef?.resource ?? event.ObjectRef?.Resource ?? '';
  const subresource = event.objectRef?.subresource ?? event.ObjectRef?.Subresource ?? '';
  const exec =
    resource === 'pods' &&
    ['exec', 'attach'].includes(subresource) &&
    ['get', 'create'].includes(verb);
  return {
    bytes,
    key: createHash('sha256').update(bytes).digest('hex'),
    kept: exec || !['get', 'list', 'watch'].includes(verb),
  };
}
