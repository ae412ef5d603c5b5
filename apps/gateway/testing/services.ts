import { BatchMarks } from '@auditing/audit-event/batch-marks';
import { decompressBlock, sliceBlock } from '@auditing/audit-event/block';
import { ColumnEvent, ColumnTable } from '@auditing/audit-event/columns';
import { decodedEvents } from '@auditing/audit-event/decoded-batch';
import type { EventFields } from '@auditing/audit-event/event-fields';
import { RaiseResponse, type Alert, type RaiseRequest } from '@auditing/proto/alert';
import { AppendResponse, type AppendRequest } from '@auditing/proto/archive';
import { Field, Level, Priority, Source, Strip, type Verdicts } from '@auditing/proto/event';
import {
  EvaluateResponse,
  RuleSet,
  type EvaluateRequest,
  type WatchRequest,
} from '@auditing/proto/rule';
import { RpcError } from '@auditing/service/rpc-error';
import { answerStream } from '@auditing/service/stream-call';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { pino } from 'pino';

const LOG: Logger = pino({ level: 'silent' });

/** Throws instead of answering, if it wants to. */
export type Fault<Req> = (request: Req) => Promise<void> | void;

/** What a test says of an event: whether it is kept, and the message of its alert. */
export type Ruling = { readonly alert?: string } | undefined;

/** A rule set that keeps everything; `create` raises an alert. */
export function ruleSet(changes: Partial<RuleSet> = {}): RuleSet {
  return RuleSet.create({
    version: 'v1',
    generation: 1n,
    settings: { auditLevel: Level.REQUEST_RESPONSE, k8sAuditingEnabled: true },
    projection: { fields: [Field.VERB, Field.RESOURCE], documents: [] },
    ...changes,
  });
}

/** A rule service: decides by a function, counts what it is asked. */
export class TestRule {
  ruleSet: RuleSet | undefined = ruleSet();
  rule: (event: EventFields) => Ruling = (event) =>
    event.get('Verb') === 'create' ? { alert: 'created' } : {};
  fault: Fault<EvaluateRequest> = () => undefined;
  readonly requests: EvaluateRequest[] = [];
  #changed: (() => void)[] = [];

  set(next: RuleSet): void {
    this.ruleSet = next;
    for (const wake of this.#changed.splice(0)) wake();
  }

  readonly evaluate = async (request: EvaluateRequest): Promise<EvaluateResponse> => {
    this.requests.push(request);
    await this.fault(request);
    if (!this.ruleSet) throw new RpcError(status.UNAVAILABLE, 'no rules yet');
    const events = await this.#eventsOf(request);
    return EvaluateResponse.create({ verdicts: this.#verdicts(events) });
  };

  readonly evaluateStream = answerStream((request: EvaluateRequest) => this.evaluate(request), {
    response: EvaluateResponse,
    window: 8,
    log: LOG,
  });

  readonly getRuleSet = (): Promise<RuleSet> =>
    this.ruleSet
      ? Promise.resolve(this.ruleSet)
      : Promise.reject(new RpcError(status.UNAVAILABLE, 'no rules yet'));

  readonly watch = async function* (
    this: TestRule,
    { knownVersion }: WatchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<RuleSet, void> {
    let known = knownVersion;
    while (!signal.aborted) {
      if (this.ruleSet && this.ruleSet.version !== known) {
        known = this.ruleSet.version;
        yield this.ruleSet;
      }
      await new Promise<void>((resolve) => {
        this.#changed.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }.bind(this);

  async #eventsOf({ batch, documents }: EvaluateRequest): Promise<readonly EventFields[]> {
    if (!batch) throw new RpcError(status.INVALID_ARGUMENT, 'no batch');
    if (batch.columns.length === 0 && documents.length === 0) {
      return decodedEvents(batch, Source.KUBERNETES);
    }
    const table = new ColumnTable(batch.columns);
    return Array.from({ length: batch.eventCount }, (_, row) => {
      const document = documents.find(({ event }) => event === row)?.json;
      return new ColumnEvent(table, row, document);
    });
  }

  #verdicts(events: readonly EventFields[]): Verdicts {
    const verdicts = events.flatMap((fields, event) => {
      const ruling = this.rule(fields);
      if (!ruling) return [];
      const finding = {
        rule: 0,
        message: ruling.alert ?? '',
        alert: ruling.alert !== undefined,
      };
      return [{ event, findings: [finding], strip: Strip.UNSPECIFIED, workspace: '' }];
    });
    return {
      ruleSetVersion: this.ruleSet?.version ?? '',
      rules: [{ name: 'test.rule', priority: Priority.WARNING, output: [] }],
      verdicts,
      ignoredCount: events.length - verdicts.length,
    };
  }
}

/** An archive in memory: stores an event of a batch once, as the contract says. */
export class TestArchive {
  readonly requests: AppendRequest[] = [];
  /** Every event stored, in order, as text. */
  readonly stored: string[] = [];
  fault: Fault<AppendRequest> = () => undefined;
  readonly #marks = new BatchMarks();
  #last: Promise<unknown> = Promise.resolve();

  readonly append = async (request: AppendRequest): Promise<AppendResponse> => {
    await this.fault(request);
    this.requests.push(request);
    // In the order of arrival, as the real one writes them.
    const stored = this.#last.then(() => this.#store(request));
    this.#last = stored.catch(() => undefined);
    return stored;
  };

  async #store(request: AppendRequest): Promise<AppendResponse> {
    const { batch, positions = [] } = request.kept ?? {};
    if (!batch?.id || !batch.block) throw new RpcError(status.INVALID_ARGUMENT, 'no batch');
    const slices = sliceBlock(await decompressBlock(batch.block), batch.sliceBytes);
    const { id } = batch;
    const fresh = slices.filter((_, index) => !this.#marks.covers(id, positions[index] ?? -1));
    this.stored.push(...fresh.map((slice) => slice.toString()));
    this.#marks.mark(id);
    this.#marks.settle(id.epoch, request.settledBelow);
    return AppendResponse.create({ archivedCount: fresh.length });
  }

  readonly appendStream = answerStream((request: AppendRequest) => this.append(request), {
    response: AppendResponse,
    window: 8,
    log: LOG,
  });
}

/** An alert service in memory: takes a batch once. */
export class TestAlert {
  readonly requests: RaiseRequest[] = [];
  readonly raised: Alert[] = [];
  fault: Fault<RaiseRequest> = () => undefined;
  readonly #marks = new BatchMarks();

  readonly raise = async (request: RaiseRequest): Promise<RaiseResponse> => {
    await this.fault(request);
    this.requests.push(request);
    const { id, alerts, settledBelow } = request;
    if (!id) throw new RpcError(status.INVALID_ARGUMENT, 'no id');
    const isKnown = this.#marks.coversAll(id);
    if (!isKnown) this.raised.push(...alerts);
    this.#marks.mark(id);
    this.#marks.settle(id.epoch, settledBelow);
    return RaiseResponse.create({ raisedCount: isKnown ? 0 : alerts.length });
  };

  readonly raiseStream = answerStream((request: RaiseRequest) => this.raise(request), {
    response: RaiseResponse,
    window: 8,
    log: LOG,
  });
}

/** An outage. */
export function unavailable(): never {
  throw new RpcError(status.UNAVAILABLE, 'away');
}
