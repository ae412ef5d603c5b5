import { Priority } from '@auditing/proto/event';
import type { RaisedAlert } from '@auditing/proto/outbox';
import { goTime } from './go-time';

/** Alertmanager has no limit of its own, but proxies and chat systems do, and labels are kept in its memory. */
const LABEL_MAX_BYTES = 1_024;
/** A message of a few pages; more is a rule that prints a whole object. */
const ANNOTATION_MAX_BYTES = 8_192;

/** Labels or annotations. */
export type Texts = Readonly<Record<string, string>>;

/**
 * The labels that KubeSphere's Alertmanager routes, notification templates and silences know. An empty one is left out, as
 * Alertmanager itself would do.
 */
export function labelsOf({ alert }: RaisedAlert): Texts {
  const event = alert?.event;
  return texts(LABEL_MAX_BYTES, {
    alertname: entryName(alert?.rule ?? ''),
    alerttype: 'auditing',
    namespace: event?.objectRef?.namespace,
    resource: event?.objectRef?.resource,
    name: event?.objectRef?.name,
    user: event?.user?.username,
    group: event?.user?.groups.length ? JSON.stringify(event.user.groups) : '',
    verb: event?.verb,
    requestReceivedTimestamp: goTime(event?.requestReceivedTimestamp),
  });
}

/** What a person wants to know, and what must not make two alerts of one. */
export function annotationsOf({ alert }: RaisedAlert): Texts {
  const event = alert?.event;
  const priority = alert?.priority ?? Priority.UNSPECIFIED;
  return texts(ANNOTATION_MAX_BYTES, {
    message: alert?.message,
    priority: Priority[priority],
    severity: severityOf(priority),
    cluster: event?.cluster,
    workspace: event?.workspace,
    auditID: event?.auditId,
    rule: alert?.rule,
    eventKey: event?.key.toString('hex'),
  });
}

/** When it began: the request, or when the alert was raised if the event does not say or claims the future. */
export function startOf({ alert, raisedAtUs }: RaisedAlert): Date {
  const raisedAtMs = raisedAtUs / 1_000;
  const request = alert?.event?.requestReceivedTimestamp;
  const requestMs = request ? Number(request.seconds) * 1_000 + request.nanos / 1e6 : 0;
  return new Date(requestMs > 0 && requestMs < raisedAtMs ? requestMs : raisedAtMs);
}

/** Cuts a text to so many bytes of UTF-8, between two characters. */
export function cutToBytes(text: string, maxBytes: number): string {
  // Lone surrogates, which JSON can smuggle in, become U+FFFD here.
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return bytes.toString();
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0b1100_0000) === 0b1000_0000) end -= 1;
  return bytes.toString('utf8', 0, end);
}

/** `<Rule resource>.<entry>` without the resource, whose name may have dots in it. */
function entryName(rule: string): string {
  return rule.slice(rule.lastIndexOf('.') + 1);
}

/** The words that Alertmanager configurations use. */
function severityOf(priority: Priority): string {
  return priority >= Priority.WARNING ? 'warning' : 'info';
}

function texts(maxBytes: number, values: Record<string, string | undefined>): Texts {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value) found[name] = cutToBytes(value, maxBytes);
  }
  return found;
}
