import type { DecodedEvent } from '@auditing/audit-event/decoded-event';
import type { KeptBatch } from '@auditing/proto/archive';
import { Priority, Strip } from '@auditing/proto/event';
import { messageOfFinding } from '@auditing/rule-engine/finding-message';

/** One rule that matched, in the words of rules. */
export interface KeptFinding {
  /** `<Rule resource>.<entry>`. */
  readonly Rule: string;
  /** Such as `WARNING`; empty for one that is not known. */
  readonly Priority: string;
  readonly Message: string;
  readonly Alert: boolean;
}

/** What the rules said of one event of a batch. */
export interface Findings {
  readonly findings: readonly KeptFinding[];
  /** The highest of their priorities; empty without one. */
  readonly priority: string;
  /** The first message. */
  readonly message: string;
  readonly strip: Strip;
  /** The workspace that was filled in; empty without one. */
  readonly workspace: string;
}

/** The lowest first. */
const PRIORITY_WORDS: ReadonlyMap<Priority, string> = new Map([
  [Priority.DEBUG, 'DEBUG'],
  [Priority.INFO, 'INFO'],
  [Priority.WARNING, 'WARNING'],
]);

/** Reads them out of the verdicts on an event, and makes the messages that they do not carry. */
export function findingsOf(
  { verdicts }: KeptBatch,
  event: number,
  decoded: DecodedEvent,
): Findings {
  // Every kept event has a verdict, so that mostly it lies at its own place.
  const list = verdicts?.verdicts ?? [];
  const verdict =
    list[event]?.event === event ? list[event] : list.find((one) => one.event === event);
  const workspace = verdict?.workspace ?? '';
  decoded.fillWorkspace(workspace);
  const findings = (verdict?.findings ?? []).map((finding) => {
    const rule = verdicts?.rules[finding.rule];
    return {
      Rule: rule?.name ?? '',
      Priority: PRIORITY_WORDS.get(rule?.priority ?? Priority.UNSPECIFIED) ?? '',
      Message: messageOfFinding(finding, rule, decoded),
      Alert: finding.alert,
    };
  });
  return {
    findings,
    priority:
      [...PRIORITY_WORDS.values()].findLast((word) =>
        findings.some((finding) => finding.Priority === word),
      ) ?? '',
    message: findings.find(({ Message }) => Message !== '')?.Message ?? '',
    strip: verdict?.strip ?? Strip.UNSPECIFIED,
    workspace,
  };
}
