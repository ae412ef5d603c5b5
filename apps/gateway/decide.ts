import { status } from '@grpc/grpc-js';
import type { DecodedEvent } from '@auditing/audit-event/decoded-event';
import { Level, Strip, type BatchId, type RuleName, type Verdicts } from '@auditing/proto/event';
import {
  WebhookSettings,
  type EvaluateRequest,
  type EvaluateResponse,
  type RuleSet,
} from '@auditing/proto/rule';
import type { Decision } from '@auditing/proto/spool';
import { RpcError } from '@auditing/service/rpc-error';
import type { Guard } from './attempts';
import { bisect, type EventRange } from './bisect';
import { readEvents, type Burial } from './burial';
import { evaluateWhole, type EventsToDecide, type MakeEvaluateRequest } from './evaluate-request';
import { admit } from './level-filter';
import type { Peer } from './peer';
import type { SettingsWatch } from './settings-watch';
import type { SpoolPart } from './spool';

/** After so many answers that fields are missing, events are sent whole: replicas disagree, or sets change fast. */
const REFRESHES_MAX = 3;

/** What the documentation promises where the Webhook resource is missing. */
const DEFAULT_SETTINGS = WebhookSettings.create({ auditLevel: Level.METADATA });

/** What deciding needs. */
export interface Decider {
  readonly settings: Pick<SettingsWatch, 'inForce' | 'refresh'>;
  readonly rule: Peer;
  readonly evaluate: (request: EvaluateRequest, signal: AbortSignal) => Promise<EvaluateResponse>;
  readonly makeRequest: MakeEvaluateRequest;
  readonly burial: Burial;
  readonly guardRead: Guard;
  readonly guardCall: Guard;
}

/** The events that take part in deciding, in their order. */
interface Admitted {
  /** As rules see them. */
  readonly events: readonly DecodedEvent[];
  /** What became of each; undefined if all events of the part take part as they came, which they mostly do. */
  readonly origins: readonly Origin[] | undefined;
}

/** Where an event comes from. */
interface Origin {
  /** Its place in the part. */
  readonly index: number;
  readonly strip: Strip;
}

/**
 * Decides one part: settings of the Webhook resource, then rules. Waits for settings and for the rule service as long
 * as it takes; what cannot be decided is buried. Nothing here is durable but burials: the caller writes the decision.
 */
export async function decide(
  part: SpoolPart,
  decider: Decider,
  signal: AbortSignal,
): Promise<Decision> {
  const ruleSet = await decider.settings.inForce(signal);
  const events = await readEvents(part, { burial: decider.burial, guard: decider.guardRead });
  if (!events)
    return decision(part, { verdicts: noVerdicts(ruleSet), deadCount: part.batch.eventCount });
  // No setting leaves the event of a probe out: it would say that the way is closed.
  const admitted =
    part.probe === '' ? admittedEvents(events, ruleSet) : { events, origins: undefined };
  let deadCount = 0;
  const answers = await bisect(
    { first: 0, count: admitted.events.length },
    {
      attempt: async (range) =>
        range.count === 0
          ? noVerdicts(ruleSet)
          : evaluateRange({ part, admitted, range }, decider, signal),
      async bury(index, cause) {
        deadCount += 1;
        const received = events[originOf(admitted, index).index];
        if (received) await decider.burial.buryEvent(part, received, { service: 'rule', cause });
      },
    },
  );
  // Rules may have had some parsed again; until archive and alert come to them that would only take memory.
  for (const event of admitted.events) event.letGo();
  return decision(part, {
    verdicts: merge(answers, noVerdicts(ruleSet)),
    disabledCount: events.length - admitted.events.length,
    deadCount,
  });
}

function admittedEvents(events: readonly DecodedEvent[], ruleSet: RuleSet): Admitted {
  const settings = ruleSet.settings ?? DEFAULT_SETTINGS;
  if (events.every((received) => isAdmittedWhole(received, settings)))
    return { events, origins: undefined };
  const admitted: DecodedEvent[] = [];
  const origins: Origin[] = [];
  for (const [index, received] of events.entries()) {
    const admission = admit(received.source, settings);
    if (!admission.kept) continue;
    const event = received.stripped(admission.strip);
    admitted.push(event);
    // An event without bodies is as it came, whatever the level.
    origins.push({ index, strip: event === received ? Strip.UNSPECIFIED : admission.strip });
  }
  return { events: admitted, origins };
}

function isAdmittedWhole(received: DecodedEvent, settings: WebhookSettings): boolean {
  const admission = admit(received.source, settings);
  return admission.kept && received.stripped(admission.strip) === received;
}

function originOf({ origins }: Admitted, at: number): Origin {
  return origins?.[at] ?? { index: at, strip: Strip.UNSPECIFIED };
}

/** Some of the events of a part. */
interface RangeToDecide {
  readonly part: SpoolPart;
  readonly admitted: Admitted;
  readonly range: EventRange;
}

async function evaluateRange(
  { part, admitted, range }: RangeToDecide,
  decider: Decider,
  signal: AbortSignal,
): Promise<Verdicts> {
  const toDecide: EventsToDecide = {
    id: idOf(part),
    receivedAtUs: part.batch.receivedAtUs,
    events: admitted.events.slice(range.first, range.first + range.count),
  };
  const risky = { kind: 'rule', position: part.position, range } as const;
  let refreshCount = 0;
  const isProbe = part.probe !== '';
  const ask = async (): Promise<Verdicts> => {
    // What the rules of a set read is not what the rule of probes reads.
    const request =
      refreshCount < REFRESHES_MAX && !isProbe
        ? decider.makeRequest(toDecide, await decider.settings.inForce(signal))
        : evaluateWhole(toDecide);
    try {
      const { traceParent } = part;
      const { verdicts } = await decider.guardCall(risky, () =>
        decider.evaluate({ ...request, traceParent, probe: isProbe }, signal),
      );
      return placed(verdicts, admitted, range);
    } catch (error) {
      if (!(error instanceof RpcError) || error.code !== status.FAILED_PRECONDITION) throw error;
      refreshCount += 1;
      if (refreshCount > REFRESHES_MAX) throw error;
      await decider.settings.refresh(signal);
      return ask();
    }
  };
  return decider.rule.call(ask, signal);
}

/** The answer of the rule service, with each event's place in the part and what was stripped of it. */
function placed(verdicts: Verdicts | undefined, admitted: Admitted, range: EventRange): Verdicts {
  if (!verdicts) throw new RpcError(status.INTERNAL, 'the rule service answered without verdicts');
  const unknown = verdicts.verdicts.find(({ event }) => event >= range.count);
  if (unknown)
    throw new RpcError(
      status.INTERNAL,
      `the rule service was asked about ${range.count} events and speaks of number ${unknown.event}`,
    );
  const isAsAsked = !admitted.origins && range.first === 0;
  if (isAsAsked && verdicts.verdicts.every(({ strip }) => strip === Strip.UNSPECIFIED))
    return verdicts;
  return {
    ...verdicts,
    verdicts: verdicts.verdicts.map((verdict) => {
      const { index, strip } = originOf(admitted, range.first + verdict.event);
      return { ...verdict, event: index, strip };
    }),
  };
}

/** The verdicts of several ranges as those of one part. */
function merge(answers: readonly Verdicts[], none: Verdicts): Verdicts {
  const [first, ...others] = answers;
  if (!first) return none;
  return others.reduce((all, one) => {
    const offset = all.rules.length;
    const moved = one.verdicts.map((verdict) => ({
      ...verdict,
      findings: verdict.findings.map((finding) => ({ ...finding, rule: finding.rule + offset })),
    }));
    const rules: RuleName[] = [...all.rules, ...one.rules];
    return {
      ruleSetVersion: one.ruleSetVersion,
      rules,
      verdicts: [...all.verdicts, ...moved],
      ignoredCount: all.ignoredCount + one.ignoredCount,
    };
  }, first);
}

function noVerdicts({ version }: RuleSet): Verdicts {
  return { ruleSetVersion: version, rules: [], verdicts: [], ignoredCount: 0 };
}

function decision(
  part: SpoolPart,
  outcome: Pick<Decision, 'verdicts'> & Partial<Decision>,
): Decision {
  return {
    disabledCount: 0,
    deadCount: 0,
    ...outcome,
    id: idOf(part),
    spoolPosition: BigInt(part.position),
    spoolNext: BigInt(part.next),
    probe: part.probe,
  };
}

function idOf(part: SpoolPart): BatchId {
  const { id } = part.batch;
  if (!id) throw new Error(`the part at ${part.position} of the spool has no id`);
  return id;
}
