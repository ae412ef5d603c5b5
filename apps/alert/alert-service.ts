import { batchName } from '@auditing/audit-event/batch-name';
import { status } from '@grpc/grpc-js';
import {
  DeliveryState,
  RaiseResponse,
  type AlertServiceGetRequest,
  type AlertServiceService,
  type AlertStatus,
  type RaiseRequest,
  type TestReceiverRequest,
  type TestReceiverResponse,
} from '@auditing/proto/alert';
import type { BatchId } from '@auditing/proto/event';
import type { Api } from '@auditing/service/rpc';
import { RpcError } from '@auditing/service/rpc-error';
import { answerStream } from '@auditing/service/stream-call';
import { traced, type Tracing } from '@auditing/service/tracing';
import type { Logger } from 'pino';
import type { AlertMetrics } from './alert-metrics';
import { readStatus } from './alert-status';
import { AlertWatch } from './alert-watch';
import { reviveDeadLetters } from './dead-letters';
import type { Dispatcher } from './dispatcher';
import { listAlerts, listDeadLetters } from './list-alerts';
import type { Outbox } from './outbox';
import { OutboxUnavailableError } from './outbox-records';
import { probe } from './probe';
import type { ReceiverOptions } from './receivers/receiver';

/** Requests of one stream worked on at once: they share an fsync, and each holds its alerts in memory. */
const STREAM_WINDOW = 16;
const KEY_BYTES = 32;
const ID_BYTES = 32;

/** What the service works with. */
export interface AlertServiceOptions {
  readonly outbox: Outbox;
  readonly dispatcher: Dispatcher;
  readonly receiver: ReceiverOptions;
  readonly metrics: AlertMetrics;
  readonly tracing: Tracing;
  readonly now: () => number;
  readonly log: Logger;
  /** Names of the receivers in use; undefined until they are known. */
  readonly receivers: () => readonly string[] | undefined;
  /** Name of the receiver that gets what others do not take; empty: none. */
  readonly fallback: string;
}

/** The service, as the gateway and tools see it. */
export function alertApi(options: AlertServiceOptions): Api<typeof AlertServiceService> {
  const { outbox, dispatcher, tracing, log } = options;
  const watch = new AlertWatch((alert) => readStatus(outbox, alert));
  outbox.onChange = (alert) => watch.tell(alert);
  const raise = traced(tracing, 'AlertService/Raise', (request: RaiseRequest) =>
    raiseAlerts(options, request),
  );
  return {
    raise,
    raiseStream: answerStream(raise, {
      response: RaiseResponse,
      window: STREAM_WINDOW,
      log,
      subject: ({ id }) => ({ batch: batchName(id) }),
    }),
    list: (request, signal) => listAlerts(outbox, request, signal),
    watch: ({ rule }, signal) => watch.watch(rule, signal),
    get: (request) => getAlert(outbox, request),
    listReceivers: () => Promise.resolve({ receivers: dispatcher.status() }),
    testReceiver: (request, signal) => test(options, request, signal),
    probe: (request, signal) => orUnavailable(() => probe(options, request, signal)),
    deadLetters: (request) => listDeadLetters(outbox, request),
    redriveDeadLetters: async ({ selection }) => ({
      redrivenCount: await orUnavailable(() =>
        reviveDeadLetters(outbox, selection, DeliveryState.PENDING),
      ),
    }),
    deleteDeadLetters: async ({ selection }) => ({
      deletedCount: await orUnavailable(() =>
        reviveDeadLetters(outbox, selection, DeliveryState.DISCARDED),
      ),
    }),
  };
}

async function getAlert(outbox: Outbox, { id }: AlertServiceGetRequest): Promise<AlertStatus> {
  if (id.length !== ID_BYTES) {
    throw new RpcError(status.INVALID_ARGUMENT, `id: expected ${ID_BYTES} bytes, got ${id.length}`);
  }
  const alert = outbox.index.byId(id.toString('latin1'));
  const found = alert && (await readStatus(outbox, alert));
  if (found) return found;
  throw new RpcError(
    status.NOT_FOUND,
    `no alert ${id.toString('hex')}: it was never raised, or it is older than AUDITING_ALERT_HISTORY_AGE and _MAX keep`,
  );
}

async function test(
  { dispatcher, receiver }: AlertServiceOptions,
  { receiver: name }: TestReceiverRequest,
  signal: AbortSignal,
): Promise<TestReceiverResponse> {
  const spec = dispatcher.spec(name);
  if (spec) {
    const { testReceiver } = await import('./test-receiver');
    return testReceiver(spec, receiver, signal);
  }
  const known = dispatcher.status().map((one) => one.name);
  throw new RpcError(
    status.NOT_FOUND,
    `receiver: expected one of ${known.join(', ') || 'none that is configured'}, got ${JSON.stringify(name)}`,
  );
}

async function raiseAlerts(
  { outbox, metrics, receivers, fallback }: AlertServiceOptions,
  request: RaiseRequest,
): Promise<RaiseResponse> {
  checkAlerts(request);
  const id = checkedId(request.id);
  const names = receivers();
  if (names === undefined) {
    throw new RpcError(
      status.UNAVAILABLE,
      'the receivers are not known yet: the rule service has not been reached; send again',
    );
  }
  const others = names.filter((name) => name !== fallback);
  // One that is alone is no fallback; and a probe asks for all of them.
  const to = request.probe || others.length === 0 ? names : others;
  return orUnavailable(async () => {
    const counts = await outbox.raise({ ...request, id }, to);
    const { raisedCount, duplicateCount } = counts;
    const response = { call: request.call, raisedCount, duplicateCount, error: undefined };
    if (request.probe) {
      metrics.own.inc({ kind: 'probe' }, raisedCount);
      return response;
    }
    metrics.raised.inc(raisedCount);
    metrics.duplicates.inc(duplicateCount);
    metrics.repeats.inc(counts.repeatCount);
    metrics.stages.inc(counts.stageCount);
    for (const [receiver, count] of counts.digested) metrics.digested.inc({ receiver }, count);
    if (names.length === 0) metrics.withoutReceiver.inc(raisedCount);
    return response;
  });
}

async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof OutboxUnavailableError)) throw error;
    throw new RpcError(status.UNAVAILABLE, error.message, { cause: error });
  }
}

function checkedId(id: BatchId | undefined): BatchId {
  if (id !== undefined && /^[0-9a-f]{16}$/.test(id.epoch)) return id;
  throw new RpcError(
    status.INVALID_ARGUMENT,
    `id.epoch: expected 16 hexadecimal digits, got ${JSON.stringify(id?.epoch)}`,
  );
}

function checkAlerts({ alerts }: RaiseRequest): void {
  alerts.forEach(({ rule, event }, place) => {
    const keyBytes = event?.key.length ?? 0;
    if (rule !== '' && keyBytes === KEY_BYTES) return;
    const what =
      rule === ''
        ? 'rule: expected a name'
        : `event.key: expected ${KEY_BYTES} bytes, got ${keyBytes}`;
    throw new RpcError(status.INVALID_ARGUMENT, `alerts[${place}].${what}`);
  });
}
