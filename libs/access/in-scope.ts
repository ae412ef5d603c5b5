import { microsFromTimestamp } from '@auditing/audit-event/timestamp';
import type { Scope, ScopeEntry } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';

/** Whether an event may be seen by whoever has this scope; undefined stands for everything. As `Query.scope` says. */
export function inScope(event: AuditEvent, scope: Scope | undefined): boolean {
  if (scope === undefined) return true;
  const time =
    event.requestReceivedTimestamp ?? event.stageTimestamp ?? event.receivedAt ?? undefined;
  const timeUs = microsFromTimestamp(time);
  const fits = (name: string | undefined, entries: readonly ScopeEntry[]): boolean =>
    name !== undefined &&
    name !== '' &&
    entries.some(
      (entry) =>
        entry.name === name &&
        (entry.since === undefined || timeUs >= microsFromTimestamp(entry.since)),
    );
  return (
    fits(event.objectRef?.namespace, scope.namespaces) || fits(event.workspace, scope.workspaces)
  );
}
