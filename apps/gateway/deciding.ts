import { Strip } from '@auditing/proto/event';
import type { Decision } from '@auditing/proto/spool';
import { ended, type Tracing } from '@auditing/service/tracing';
import { alertCount } from './alerts-from';
import { decide, type Decider } from './decide';
import type { Decisions } from './decisions';
import { orderedWindow } from './ordered-window';
import { readableParts, type PartReaderOptions } from './part-reader';
import { partSpan } from './part-span';
import type { ProbeTrails } from './probe-trails';
import type { SpoolPart } from './spool';

/** Parts being decided at once: part n + 1 is decided while the decision on n is written. */
const DECIDE_LIMITS = {
  count: 32,
  bytes: 16 * 2 ** 20,
  bytesOf: ({ batch }: SpoolPart) => batch.block?.rawBytes ?? 0,
} as const;

/** What the step works with. */
export interface DecidingOptions extends PartReaderOptions {
  readonly decisions: Decisions;
  readonly decider: Decider;
  readonly probes: ProbeTrails;
  readonly tracing: Tracing;
}

/** The first step: reads the spool, decides, writes down what was decided. */
export class Deciding {
  /** When they came, by their positions: not the parts themselves, which a Map's old tables would hold on to. */
  readonly #underWay = new Map<number, number>();

  constructor(readonly options: DecidingOptions) {}

  /** When the oldest part that it is working on came, in microseconds since 1970; undefined if there is none. */
  get oldestUs(): number | undefined {
    const [oldest] = this.#underWay.values();
    return oldest;
  }

  /** Works until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { decisions } = this.options;
    const from = await this.#start();
    const decided = orderedWindow(
      {
        items: (until) => readableParts(this.options, from, until),
        run: (part, until) => this.#decide(part, until),
        limits: DECIDE_LIMITS,
      },
      signal,
    );
    for await (const done of decided) {
      const written = done.map(({ result }) => result);
      await decisions.append(written);
      for (const decision of written) this.#count(decision);
    }
  }

  /** Where deciding goes on: after the last part that has a decision. */
  async #start(): Promise<number> {
    const { decisions, spool, log } = this.options;
    const last = await decisions.last();
    if (!last) return spool.start;
    const next = Number(last.decision.spoolNext);
    if (next <= spool.end) return next;
    log.error(
      { next, end: spool.end },
      'the spool is shorter than what was decided of it: it begins anew',
    );
    return spool.start;
  }

  async #decide(part: SpoolPart, signal: AbortSignal): Promise<Decision> {
    const { decider, metrics, tracing } = this.options;
    const span = partSpan(tracing, 'decide', part);
    const stage = { stage: 'decide' };
    const stopTimer = metrics.decisionSeconds.startTimer();
    this.#underWay.set(part.position, part.batch.receivedAtUs);
    metrics.inFlight.inc(stage);
    try {
      const { traceParent } = span;
      return await ended(span, decide({ ...part, traceParent }, decider, signal));
    } finally {
      this.#underWay.delete(part.position);
      metrics.inFlight.dec(stage);
      stopTimer();
    }
  }

  #count({ verdicts, disabledCount, probe }: Decision): void {
    const { metrics, probes } = this.options;
    if (probe !== '') {
      probes.decided(probe, verdicts);
      return;
    }
    metrics.disabled.inc(disabledCount);
    if (!verdicts) return;
    metrics.ignored.inc(verdicts.ignoredCount);
    metrics.kept.inc(verdicts.verdicts.length);
    metrics.alerts.inc(alertCount(verdicts));
    metrics.stripped.inc(
      verdicts.verdicts.filter(({ strip }) => strip !== Strip.UNSPECIFIED).length,
    );
  }
}
