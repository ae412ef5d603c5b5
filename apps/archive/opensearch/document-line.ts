import type { EventDocument } from './event-document';

const LONE_SURROGATE = /\p{Surrogate}/gu;

/**
 * A document as a line of JSON. Half of a surrogate pair, which OpenSearch could store but not give back, becomes U+FFFD;
 * the event's own bytes are not touched by it, for they are UTF-8.
 */
export function documentLine(document: EventDocument): string {
  const line = JSON.stringify(document);
  // JSON.stringify escapes halves and nothing else so.
  return line.includes('\\ud') ? JSON.stringify(wellFormed(document)) : line;
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(LONE_SURROGATE, '\ufffd');
  if (Array.isArray(value)) return value.map(wellFormed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key.replace(LONE_SURROGATE, '\ufffd'),
      wellFormed(item),
    ]),
  );
}
