import { AlertKind } from '@auditing/proto/alert';
import { Priority } from '@auditing/proto/event';
import type { RaisedAlert } from '@auditing/proto/outbox';
import { requestMs } from '../event-text';
import { goTime } from './go-time';
import type { Outgoing } from './receiver';

/** Alertmanager has no limit of its own, but proxies and chat systems do, and labels are kept in its memory. */
const LABEL_MAX_BYTES = 1_024;
/** A message of a few pages; more is a rule that prints a whole object. */
const ANNOTATION_MAX_BYTES = 8_192;
/** Where our own query API has events. */
const EVENTS_PATH = '/apis/query.auditing.kubesphere.io/v1alpha1/events';

/** Labels or annotations. */
export type Texts = Readonly<Record<string, string>>;

/** How alerts are written. */
export interface TextOptions {
  /**
   * True: the labels that KubeSphere knows, the time of the request among them, so that each alert is one of its own.
   * False: few and stable ones.
   */
  readonly hasTimeLabel: boolean;
  /** Where people reach the query API, without a slash at its end; empty: alerts have no links. */
  readonly externalUrl: string;
}

/**
 * The labels, which are what Alertmanager knows an alert by. By default those that KubeSphere's routes, notification
 * templates and silences know; an empty one is left out, as Alertmanager itself would do.
 */
export function labelsOf(outgoing: Outgoing, { hasTimeLabel }: TextOptions): Texts {
  const { alert } = outgoing.raised;
  const event = alert?.event;
  const own = { alertname: entryName(alert?.rule ?? ''), alerttype: 'auditing' };
  switch (outgoing.kind) {
    case AlertKind.HEARTBEAT:
      return own;
    case AlertKind.PROBE:
      return { ...own, name: event?.auditId ?? '' };
    case AlertKind.DIGEST: {
      const since = hasTimeLabel ? goTime(outgoing.summary.firstSeen) : '';
      return texts(LABEL_MAX_BYTES, { ...own, digest: 'true', requestReceivedTimestamp: since });
    }
    default:
      return texts(LABEL_MAX_BYTES, {
        ...own,
        namespace: event?.objectRef?.namespace,
        resource: event?.objectRef?.resource,
        name: event?.objectRef?.name,
        user: event?.user?.username,
        verb: event?.verb,
        ...(hasTimeLabel
          ? {
              group: event?.user?.groups.length ? JSON.stringify(event.user.groups) : '',
              requestReceivedTimestamp: goTime(event?.requestReceivedTimestamp),
            }
          : { cluster: event?.cluster }),
      });
  }
}

/** What a person wants to know, and what must not make two alerts of one. */
export function annotationsOf(outgoing: Outgoing, options: TextOptions): Texts {
  const { kind, summary, raised } = outgoing;
  const { alert } = raised;
  const event = alert?.event;
  const priority = alert?.priority ?? Priority.UNSPECIFIED;
  const isEvent = kind !== AlertKind.DIGEST && kind !== AlertKind.HEARTBEAT;
  return texts(ANNOTATION_MAX_BYTES, {
    message: alert?.message,
    priority: Priority[priority],
    severity: severityOf(priority),
    cluster: event?.cluster,
    workspace: event?.workspace,
    auditID: event?.auditId,
    rule: alert?.rule,
    eventKey: isEvent ? event?.key.toString('hex') : '',
    ...(kind === AlertKind.HEARTBEAT ? {} : seenTexts(summary)),
    outcome: summary.outcome,
    auditIDs: summary.auditIds.length > 1 ? summary.auditIds.join(', ') : '',
    eventKeys: summary.eventKeys.map((key) => key.toString('hex')).join(', '),
    link: linkOf(outgoing, options),
    probe: kind === AlertKind.PROBE ? 'true' : '',
  });
}

/** Where the archived event is, or of a digest the events; empty if nobody said where the query API is reached. */
export function linkOf({ kind, raised, summary }: Outgoing, { externalUrl }: TextOptions): string {
  const { alert } = raised;
  if (externalUrl === '' || kind === AlertKind.HEARTBEAT || kind === AlertKind.PROBE) return '';
  if (kind !== AlertKind.DIGEST) {
    return `${externalUrl}${EVENTS_PATH}/${alert?.event?.key.toString('hex') ?? ''}`;
  }
  const parameters = new URLSearchParams({ rule: alert?.rule ?? '' });
  const { firstSeen, lastSeen } = summary;
  if (firstSeen) parameters.set('start', String(firstSeen.seconds));
  if (lastSeen) parameters.set('end', String(lastSeen.seconds + 1n));
  return `${externalUrl}${EVENTS_PATH}?${parameters.toString()}`;
}

/** When it began: the request, or when the alert was raised if the event does not say or claims the future. */
export function startOf({ alert, raisedAtUs }: RaisedAlert): Date {
  const raisedAtMs = raisedAtUs / 1_000;
  const ms = requestMs(alert?.event) ?? raisedAtMs;
  return new Date(Math.min(ms, raisedAtMs));
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

function seenTexts({ count, firstSeen, lastSeen }: Outgoing['summary']): Texts {
  const text = (at: typeof firstSeen): string =>
    at ? new Date(Number(at.seconds) * 1_000 + at.nanos / 1e6).toISOString() : '';
  return { count: String(count), firstSeen: text(firstSeen), lastSeen: text(lastSeen) };
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
