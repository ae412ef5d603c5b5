import type { AuditEvent } from '@auditing/proto/event';

import type { ExportedFile } from './export-events';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/** The archived bytes of each event, one a line. */
export async function* ndjson(events: AsyncIterable<AuditEvent>): ExportedFile {
  for await (const { raw } of events) {
    yield { data: Buffer.concat([inOneLine(raw), Buffer.from('\n')]), eventCount: 1 };
  }
}

/** Line breaks of JSON text lie between its tokens: inside a string they are escaped. A space says the same there. */
function inOneLine(raw: Buffer): Buffer {
  if (!raw.includes(LINE_FEED) && !raw.includes(CARRIAGE_RETURN)) return raw;
  return raw.map((byte) =>
    byte === LINE_FEED || byte === CARRIAGE_RETURN ? SPACE : byte,
  ) as Buffer;
}
