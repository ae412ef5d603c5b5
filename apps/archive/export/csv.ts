import type { AuditEvent } from '@auditing/proto/event';

import { EXPORT_COLUMNS } from './export-columns';
import type { ExportedFile } from './export-events';

/** What makes a spreadsheet take a cell for a formula, which it then runs: archived text is hostile. */
const FORMULA = /^[=+\-@\t\r]/;
const QUOTED = /[",\r\n]/;

/** A table with a header line, by RFC 4180. */
export async function* csv(events: AsyncIterable<AuditEvent>): ExportedFile {
  yield { data: line(EXPORT_COLUMNS.map(({ name }) => name)), eventCount: 0 };
  for await (const event of events) {
    yield { data: line(EXPORT_COLUMNS.map(({ value }) => cellText(value(event)))), eventCount: 1 };
  }
}

function line(cells: readonly string[]): Buffer {
  return Buffer.from(`${cells.map(cell).join(',')}\r\n`);
}

function cellText(value: string | number | readonly string[] | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function cell(text: string): string {
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return QUOTED.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
