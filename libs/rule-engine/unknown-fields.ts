import { isJsonObject } from '@auditing/audit-event/field-keys';
import type { JsonValue } from '@auditing/audit-event/event-fields';
import type { KnownFields } from './gen/resource-fields';
import type { Report } from './report';

/** Warns of fields that nobody reads: they are kept, and do nothing. */
export function warnOfUnknownFields(
  value: JsonValue | undefined,
  known: KnownFields,
  { report, path }: { readonly report: Report; readonly path: string },
): void {
  if (Array.isArray(value)) {
    for (const [i, item] of (value as readonly JsonValue[]).entries())
      warnOfUnknownFields(item, known, { report, path: `${path}[${i}]` });
    return;
  }
  const names = Object.keys(known);
  if (!isJsonObject(value) || names.length === 0) return;
  for (const [key, item] of Object.entries(value)) {
    const at = `${path}.${key}`;
    const below = Object.hasOwn(known, key) ? known[key] : undefined;
    if (below) warnOfUnknownFields(item, below, { report, path: at });
    else
      report.warn(at, `there is no such field, so it does nothing; there are ${names.join(', ')}`);
  }
}
