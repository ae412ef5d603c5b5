import { BlockError } from '@auditing/audit-event/block';
import { ColumnEvent, ColumnTable, MissingColumnError } from '@auditing/audit-event/columns';
import { decodedEvents, isRemembered } from '@auditing/audit-event/decoded-batch';
import type { EventFields } from '@auditing/audit-event/event-fields';
import { inTurn, type Pace } from '@auditing/audit-event/pace';
import {
  Field,
  Source,
  Strip,
  type EventBatch,
  type Finding,
  type Verdict,
  type Verdicts,
} from '@auditing/proto/event';
import type { EvaluateRequest } from '@auditing/proto/rule';
import { messageOfFinding } from '@auditing/rule-engine/finding-message';
import type { MatchedRule, RuleSet } from '@auditing/rule-engine/rule-set';
import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';
import type { Workspaces } from './workspaces';

/** A batch has at most this many events: gateways cut them at about 1 MB, and an event has some 10 bytes at least. */
const MAX_EVENTS = 200_000;

/** Events between two looks at the clock: some tens of microseconds. */
const EVENTS_A_LOOK = 16;

/** What is read of an event to find the workspace that it lacks. */
export const WORKSPACE_FIELDS: readonly Field[] = [Field.WORKSPACE, Field.NAMESPACE];

/** What decides. */
export interface EvaluateWith {
  readonly ruleSet: RuleSet;
  /** Undefined where there are no namespaces to ask. */
  readonly workspaces: Workspaces | undefined;
}

/** An event that can be given a workspace, for rules to read. */
interface FillableEvent extends EventFields {
  readonly fillWorkspace: (workspace: string) => void;
}

/**
 * Decides one batch.
 *
 * @throws RpcError FAILED_PRECONDITION, with the version as its message, if the batch lacks a field that the rule set
 * reads; INVALID_ARGUMENT if the batch is not well-formed.
 */
export async function evaluateBatch(
  { ruleSet, workspaces }: EvaluateWith,
  request: EvaluateRequest,
  signal: AbortSignal,
): Promise<Verdicts> {
  const { batch } = request;
  if (!batch)
    throw new RpcError(status.INVALID_ARGUMENT, 'batch: expected the events, got nothing');
  if (isStale(ruleSet, request)) throw new RpcError(status.FAILED_PRECONDITION, ruleSet.version);
  try {
    // Asked before they are read: what is read is remembered.
    const isFromTool = isWhole(request) && !isRemembered(batch);
    const events = await eventsOf(batch, request);
    const verdicts = await inTurn({ signal }, (pace) =>
      decideAll({ ruleSet, workspaces }, events, pace),
    );
    return isFromTool ? withMessages(verdicts, events) : verdicts;
  } catch (error) {
    if (error instanceof MissingColumnError) {
      throw new RpcError(status.FAILED_PRECONDITION, ruleSet.version, { cause: error });
    }
    // What the batch itself is wrong with; rules never throw.
    if (error instanceof SyntaxError || error instanceof BlockError) {
      throw new RpcError(status.INVALID_ARGUMENT, `batch: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/**
 * Whether columns were chosen for another rule set that reads other fields. Which events had to go along whole for it
 * cannot be told from here, so a set that needs any is taken for another one.
 */
function isStale({ version, projection }: RuleSet, request: EvaluateRequest): boolean {
  if (request.projectionVersion === '' || request.projectionVersion === version) return false;
  const sent = new Set(request.batch?.columns.map(({ field }) => field));
  return projection.documents.length > 0 || projection.fields.some((field) => !sent.has(field));
}

/** Whether the events come whole, as tools send them. */
function isWhole({ batch, projectionVersion }: EvaluateRequest): boolean {
  return projectionVersion === '' && batch?.columns.length === 0;
}

/** With the messages that gateways leave to whoever shows an event. */
function withMessages(all: Verdicts, events: readonly EventFields[]): Verdicts {
  const verdicts = all.verdicts.map((verdict) => {
    const event = events[verdict.event];
    if (event === undefined) return verdict;
    const findings = verdict.findings.map((finding) => ({
      ...finding,
      message: messageOfFinding(finding, all.rules[finding.rule], event),
    }));
    return { ...verdict, findings };
  });
  return { ...all, verdicts };
}

/** In this process the events themselves; over a socket rows of columns, whole events, or both; from tools a block. */
async function eventsOf(
  batch: EventBatch,
  request: EvaluateRequest,
): Promise<readonly FillableEvent[]> {
  const { documents, projectionVersion } = request;
  if (documents.length === 0 && projectionVersion === '' && batch.columns.length === 0) {
    return batch.eventCount === 0 ? [] : decodedEvents(batch, Source.UNSPECIFIED);
  }
  if (batch.eventCount > MAX_EVENTS) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `batch.event_count: expected at most ${MAX_EVENTS}, got ${batch.eventCount}`,
    );
  }
  const table = new ColumnTable(batch.columns);
  const whole = new Map(documents.map(({ event, json }) => [event, json]));
  return Array.from(
    { length: batch.eventCount },
    (_, row) => new ColumnEvent(table, row, whole.get(row)),
  );
}

async function decideAll(
  { ruleSet, workspaces }: EvaluateWith,
  events: readonly FillableEvent[],
  pace: Pace,
): Promise<Verdicts> {
  const verdicts: Verdict[] = [];
  const rules = new RuleNames(ruleSet);
  let event = 0;
  for (const fields of events) {
    // Asking for the time costs as much as a rule.
    if (event % EVENTS_A_LOOK === 0 && pace.isDue()) await pace.giveWay();
    const workspace = workspaces ? fillWorkspace(fields, workspaces) : '';
    const verdict = ruleSet.evaluate(fields);
    if (verdict) {
      const findings = rules.findings(verdict.findings);
      verdicts.push({ event, findings, strip: Strip.UNSPECIFIED, workspace });
    }
    event += 1;
  }
  return {
    ruleSetVersion: ruleSet.version,
    rules: rules.used,
    verdicts,
    ignoredCount: events.length - verdicts.length,
  };
}

/** Gives an event without a workspace that of its namespace; empty if it has its own, or none is known. */
function fillWorkspace(event: FillableEvent, workspaces: Workspaces): string {
  // Tried again in the same process, it would take what was filled in for its own.
  event.fillWorkspace('');
  const own = event.get('Workspace');
  if (own !== undefined && own !== '') return '';
  const namespace = event.get('ObjectRef.Namespace');
  const workspace = typeof namespace === 'string' ? workspaces.of(namespace) : '';
  if (workspace !== '') event.fillWorkspace(workspace);
  return workspace;
}

/** The rules that findings name, each once: a batch is matched by few of them. */
class RuleNames {
  readonly used: Verdicts['rules'] = [];
  readonly #places = new Map<number, number>();
  /** The findings, none with a message, of the event before that had such: mostly the next one has the same. */
  #silent: Finding[] = [];
  #silentRules: readonly MatchedRule[] = [];

  constructor(private readonly ruleSet: RuleSet) {}

  /** As verdicts hold them. Not to be changed: what says the same of many events is one object. */
  findings(matched: readonly MatchedRule[]): Finding[] {
    if (matched.some(({ message }) => message !== ''))
      return matched.map((one) => this.finding(one));
    if (!areSameRules(matched, this.#silentRules)) {
      this.#silent = matched.map((one) => this.finding(one));
      this.#silentRules = matched;
    }
    return this.#silent;
  }

  private finding({ rule, message, alert }: MatchedRule): Finding {
    let place = this.#places.get(rule);
    const name = this.ruleSet.ruleNames[rule];
    if (place === undefined && name) {
      place = this.used.push(name) - 1;
      this.#places.set(rule, place);
    }
    return { rule: place ?? 0, message, alert };
  }
}

function areSameRules(some: readonly MatchedRule[], others: readonly MatchedRule[]): boolean {
  return some.length === others.length && some.every(({ rule }, at) => rule === others[at]?.rule);
}
