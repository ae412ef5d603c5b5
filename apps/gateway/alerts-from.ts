import { eventKey } from '@auditing/audit-event/event-key';
import { typedDecodedEvent } from '@auditing/audit-event/typed-event';
import type { Alert } from '@auditing/proto/alert';
import type { AuditEvent, Finding, RuleName, Verdicts } from '@auditing/proto/event';
import { firstMessage } from '@auditing/rule-engine/finding-message';
import type { EventRange } from './bisect';
import { keptEvent, verdictsIn, type DecidedPart, type KeptEvent } from './kept-batch';

/** The alerts of a range of a part: one for each alerting rule that matched, in the order of the verdicts. */
export function alertsFrom(decided: DecidedPart, range: EventRange): Alert[] {
  const { verdicts } = decided;
  // Nearly no event raises one: first those that do.
  const raising = verdictsIn(decided, range).filter(({ findings }) => findings.some(isAlert));
  return raising.flatMap((verdict) => {
    const event = eventOf(keptEvent(decided, verdict), decided);
    return verdict.findings.filter(isAlert).map((finding) => {
      const { name, priority } = ruleOf(finding, verdicts);
      return { rule: name, priority, message: finding.message, event };
    });
  });
}

/** How many alerts a decision raises. */
export function alertCount(verdicts: Verdicts): number {
  let count = 0;
  for (const { findings } of verdicts.verdicts) {
    for (const { alert } of findings) if (alert) count += 1;
  }
  return count;
}

function isAlert({ alert }: Finding): boolean {
  return alert;
}

function eventOf({ verdict, received, event }: KeptEvent, decided: DecidedPart): AuditEvent {
  return typedDecodedEvent(event, {
    key: eventKey(received.bytes),
    listSource: event.source,
    receivedAtUs: decided.part.batch.receivedAtUs,
    workspace: verdict.workspace,
    rules: verdict.findings.map((finding) => ruleOf(finding, decided.verdicts).name),
    message: firstMessage(verdict.findings, decided.verdicts.rules, event),
    strip: verdict.strip,
  });
}

function ruleOf(finding: Finding, { rules }: Verdicts): RuleName {
  const rule = rules[finding.rule];
  if (!rule) throw new Error(`a finding speaks of rule ${finding.rule} that is not there`);
  return rule;
}
