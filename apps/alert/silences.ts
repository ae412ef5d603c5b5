import { AlertKind } from '@auditing/proto/alert';
import { compileRegularExpression } from '@auditing/rule-engine/regular-expression';
import { labelsOf, type TextOptions, type Texts } from './receivers/alert-text';
import type { Outgoing } from './receivers/receiver';
import type { Silence } from './receivers/read-silences';

/** What was read is believed for so long: then its Alertmanager is away, and an alert too many is better than none. */
const BELIEVED_MS = 60_000;

/** The silences of every Alertmanager among the receivers, as they were read last. */
export class Silences {
  readonly #text: TextOptions;
  readonly #now: () => number;
  readonly #byReceiver = new Map<string, { silences: readonly Silence[]; atMs: number }>();

  constructor(text: TextOptions, now: () => number) {
    this.#text = text;
    this.#now = now;
  }

  /** These are in force at a receiver. */
  read(receiver: string, silences: readonly Silence[]): void {
    this.#byReceiver.set(receiver, { silences, atMs: this.#now() });
  }

  /** A receiver is gone, and its silences with it. */
  forget(receiver: string): void {
    this.#byReceiver.delete(receiver);
  }

  /** Ids of those that an alert is under. None for what shows that the way works. */
  of(outgoing: Outgoing): string[] {
    if (outgoing.kind === AlertKind.HEARTBEAT || outgoing.kind === AlertKind.PROBE) return [];
    const labels = labelsOf(outgoing, this.#text);
    const nowMs = this.#now();
    const ids = new Set<string>();
    for (const { silences, atMs } of this.#byReceiver.values()) {
      if (nowMs - atMs > BELIEVED_MS) continue;
      for (const silence of silences) if (matches(silence, labels, nowMs)) ids.add(silence.id);
    }
    return [...ids];
  }
}

function matches(
  { matchers, startsAtMs, endsAtMs }: Silence,
  labels: Texts,
  nowMs: number,
): boolean {
  if (matchers.length === 0 || nowMs < startsAtMs || nowMs >= endsAtMs) return false;
  return matchers.every(({ name, value, isRegex, isEqual }) => {
    // To Alertmanager a label that is missing is an empty one.
    const label = labels[name] ?? '';
    return (isRegex ? fits(value, label) : value === label) === isEqual;
  });
}

/** Regular expressions of silences are RE2's, and mean the whole value. */
function fits(pattern: string, label: string): boolean {
  const compiled = compileRegularExpression(`^(?:${pattern})$`);
  return 'test' in compiled && compiled.test(label);
}
