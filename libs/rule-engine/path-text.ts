import type { Index, Path, Segment } from './condition';
import { RecentMap } from './recent-map';

/** The parts of a path, one after the other: its head, an index, a key after a dot, a quoted key. */
const PART =
  /\$\{([^}]+)\}|\[(\*|\d+|\d*:\d*)\]|\.?([A-Za-z_][\w-]*)|\.("(?:[^"\\]|\\[^])*")|\[("(?:[^"\\]|\\[^])*")\]/y;

/** A key that needs no quotes. */
const WORD = /^[A-Za-z_][\w-]*$/;

/** How many paths are known: rules name the same few fields over and over. */
const KNOWN_PATHS = 1_024;

/** Longest path that is remembered, in UTF-16 units, so that hostile ones cannot fill the memory. */
const REMEMBERED_LENGTH = 256;

const knownPaths = new RecentMap<string, Path>(KNOWN_PATHS);

/**
 * Reads a path that the grammar has found to be well-formed. Equal texts give the same segments, so that what is
 * found out about them is found out once.
 *
 * @param text - such as `RequestObject.metadata.labels."app.kubernetes.io/name"` or `${ports}[*].hostPort`
 * @param from - where it stands in its condition
 */
export function readPath(text: string, from: number): Path {
  let known = knownPaths.get(text);
  if (known === undefined) {
    known = readParts(text);
    if (text.length <= REMEMBERED_LENGTH) knownPaths.set(text, known);
  }
  const { kind, isReference, segments } = known;
  return { kind, isReference, segments, from, to: from + text.length };
}

function readParts(text: string): Path {
  const segments: { key: string; indexes: Index[] }[] = [];
  PART.lastIndex = 0;
  for (let part = PART.exec(text); part !== null; part = PART.exec(text)) {
    const [, reference, index, word, dotted, bracketed] = part;
    if (index === undefined) {
      const quoted = dotted ?? bracketed;
      const key = quoted === undefined ? (reference?.trim() ?? word ?? '') : unquote(quoted);
      segments.push({ key, indexes: [] });
    } else {
      segments.at(-1)?.indexes.push(readIndex(index));
    }
  }
  const [head = { key: text, indexes: [] }, ...tail] = segments;
  const isReference = text.startsWith('$');
  return { kind: 'path', isReference, segments: [head, ...tail], from: 0, to: text.length };
}

function readIndex(text: string): Index {
  if (text === '*') return { kind: 'any' };
  const [start = '', end] = text.split(':');
  if (end === undefined) return { kind: 'at', at: Number(start) };
  return { kind: 'range', start: Number(start), end: end === '' ? undefined : Number(end) };
}

function unquote(quoted: string): string {
  return quoted.slice(1, -1).replace(/\\([^])/g, '$1');
}

/** The text of a path, in its shortest form. */
export function printPath(path: Path): string {
  const [head, ...tail] = path.segments;
  const start = path.isReference ? `\${${head.key}}` : head.key;
  return start + head.indexes.map(printIndex).join('') + tail.map(printSegment).join('');
}

function printSegment({ key, indexes }: Segment): string {
  const text = WORD.test(key) ? key : `"${key.replace(/["\\]/g, '\\$&')}"`;
  return `.${text}${indexes.map(printIndex).join('')}`;
}

function printIndex(index: Index): string {
  switch (index.kind) {
    case 'any':
      return '[*]';
    case 'at':
      return `[${index.at}]`;
    case 'range':
      return `[${index.start}:${index.end ?? ''}]`;
  }
}
