import { batchName } from '@auditing/audit-event/batch-name';
import { status } from '@grpc/grpc-js';
import { DeliveryState, RaiseResponse, type AlertServiceService } from '@auditing/proto/alert';
import type { AlertStatus, Delivery, ListRequest, RaiseRequest } from '@auditing/proto/alert';
import type { BatchId } from '@auditing/proto/event';
import type { Timestamp } from '@auditing/proto/timestamp';
import type { Api } from '@auditing/service/rpc';
import { RpcError } from '@auditing/service/rpc-error';
import { answerStream } from '@auditing/service/stream-call';
import { traced, type Tracing } from '@auditing/service/tracing';
import type { Logger } from 'pino';
import type { AlertEntry, DeliveryEntry } from './alert-index';
import type { AlertMetrics } from './alert-metrics';
import { AlertWatch } from './alert-watch';
import { OutboxUnavailableError, type Outbox } from './outbox';

/** Requests of one stream worked on at once: they share an fsync, and each holds its alerts in memory. */
const STREAM_WINDOW = 16;
const LIST_DEFAULT = 100;
const LIST_MAX = 1_000;
const KEY_BYTES = 32;

/** What the service works with. */
export interface AlertServiceOptions {
  readonly outbox: Outbox;
  readonly metrics: AlertMetrics;
  readonly tracing: Tracing;
  readonly log: Logger;
  /** Names of the receivers in use; undefined until they are known. */
  readonly receivers: () => readonly string[] | undefined;
}

/** The service, as the gateway and tools see it. */
export function alertApi(options: AlertServiceOptions): Api<typeof AlertServiceService> {
  const { outbox, tracing, log } = options;
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
    list: async (request) => ({ alerts: await listAlerts(outbox, request) }),
    watch: ({ rule }, signal) => watch.watch(rule, signal),
  };
}

async function raiseAlerts(
  { outbox, metrics, receivers }: AlertServiceOptions,
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
  try {
    const counts = await outbox.raise({ ...request, id }, names);
    metrics.raised.inc(counts.raisedCount);
    metrics.duplicates.inc(counts.duplicateCount);
    if (names.length === 0) metrics.withoutReceiver.inc(counts.raisedCount);
    return { call: request.call, ...counts, error: undefined };
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

async function listAlerts(outbox: Outbox, { rule, limit }: ListRequest): Promise<AlertStatus[]> {
  if (limit > LIST_MAX) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `limit: expected at most ${LIST_MAX}, got ${limit}`,
    );
  }
  const found: AlertStatus[] = [];
  for (const alert of outbox.index.newestFirst(rule).slice(0, limit || LIST_DEFAULT)) {
    const one = await readStatus(outbox, alert);
    if (one) found.push(one);
  }
  return found;
}

/** Undefined if the alert was forgotten meanwhile. */
async function readStatus(outbox: Outbox, alert: AlertEntry): Promise<AlertStatus | undefined> {
  if (outbox.index.get(alert.position) !== alert) return undefined;
  const raised = await outbox.load(alert).catch((error: unknown) => {
    if (outbox.index.get(alert.position) !== alert) return undefined;
    throw error;
  });
  if (raised === undefined) return undefined;
  const ids = new Map(raised.deliveries.map(({ receiver, id }) => [receiver, id.toString('hex')]));
  return {
    alert: raised.alert,
    raisedAt: timestampOf(alert.raisedAtMs),
    deliveries: alert.deliveries.map((one) => deliveryStatus(one, ids.get(one.receiver) ?? '')),
  };
}

function deliveryStatus(delivery: DeliveryEntry, id: string): Delivery {
  const { receiver, state, attemptCount, lastError, endedAtMs } = delivery;
  const isDelivered = state === DeliveryState.DELIVERED;
  return {
    receiver,
    id,
    state,
    attemptCount,
    lastError,
    deliveredAt: isDelivered ? timestampOf(endedAtMs) : undefined,
  };
}

function timestampOf(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}
