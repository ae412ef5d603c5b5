import { compressBlock } from '@auditing/audit-event/block';
import { ARCHIVE_FIELDS, buildColumns } from '@auditing/audit-event/columns';
import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { eventKeys } from '@auditing/audit-event/event-key';
import { KeptBatch } from '@auditing/proto/archive';
import { type OutputPart, Priority, Source, Strip, type BatchId } from '@auditing/proto/event';

/** 2026-01-01T00:00:00Z in microseconds since 1970. */
export const DAY_ONE_US = 1_767_225_600_000_000;

export const EPOCH = '00000000000000a1';

/** What a test says of an event; the rest is made up. */
export interface EventSketch {
  readonly auditId?: string;
  /** Microseconds after DAY_ONE_US; undefined for an event without timestamps. */
  readonly atUs?: number;
  readonly user?: string;
  readonly verb?: string;
  readonly namespace?: string;
  readonly resource?: string;
  readonly name?: string;
  readonly code?: number;
  readonly groups?: readonly string[];
  readonly note?: string;
  readonly apiGroup?: string;
  readonly subresource?: string;
  readonly uri?: string;
  readonly requestObject?: unknown;
  readonly responseObject?: unknown;
}

/** The bytes of an event as kube-apiserver writes it. */
export function eventBytes(sketch: EventSketch): Buffer {
  const at = sketch.atUs === undefined ? undefined : timeText(DAY_ONE_US + sketch.atUs);
  return Buffer.from(
    JSON.stringify({
      level: 'Metadata',
      auditID: sketch.auditId ?? '',
      stage: 'ResponseComplete',
      requestURI: sketch.uri ?? `/api/v1/${sketch.resource ?? 'pods'}`,
      verb: sketch.verb ?? 'get',
      user: { username: sketch.user ?? 'admin', groups: sketch.groups ?? [] },
      sourceIPs: ['10.0.0.1'],
      objectRef: {
        resource: sketch.resource ?? 'pods',
        namespace: sketch.namespace ?? 'default',
        name: sketch.name ?? 'web',
        apiVersion: 'v1',
        ...(sketch.apiGroup === undefined ? {} : { apiGroup: sketch.apiGroup }),
        ...(sketch.subresource === undefined ? {} : { subresource: sketch.subresource }),
      },
      ...(sketch.requestObject === undefined ? {} : { requestObject: sketch.requestObject }),
      ...(sketch.responseObject === undefined ? {} : { responseObject: sketch.responseObject }),
      responseStatus: { metadata: {}, code: sketch.code ?? 200 },
      ...(at === undefined ? {} : { requestReceivedTimestamp: at, stageTimestamp: at }),
      annotations: { note: sketch.note ?? '' },
    }),
  );
}

function timeText(us: number): string {
  const seconds = new Date(Math.floor(us / 1e6) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(us % 1e6).padStart(6, '0')}Z`;
}

/** How a batch differs from the usual one. */
export interface BatchSketch {
  readonly id?: Partial<BatchId>;
  readonly receivedAtUs?: number;
  /** Places of the events in the received part; all of them from the range's beginning on if not given. */
  readonly positions?: readonly number[];
  readonly rules?: readonly string[];
  /** How messages are made when they are read. Default: not at all. */
  readonly output?: readonly OutputPart[];
  /** What was filled in. */
  readonly workspace?: string;
}

let lastSequence = 0n;

/** A batch of these events, with a sequence of its own unless one is given. */
export async function batchOf(
  events: readonly Buffer[],
  sketch: BatchSketch = {},
): Promise<KeptBatch> {
  lastSequence += 1n;
  const decoded = events.map((bytes) => decodeEvent(bytes, Source.KUBERNETES));
  const first = sketch.id?.firstEvent ?? 0;
  const rules = sketch.rules ?? ['default.all'];
  return KeptBatch.create({
    batch: {
      id: {
        epoch: EPOCH,
        sequence: lastSequence,
        part: 0,
        firstEvent: 0,
        eventCount: 0,
        ...sketch.id,
      },
      receivedAtUs: sketch.receivedAtUs ?? DAY_ONE_US,
      eventCount: events.length,
      block: await compressBlock(events),
      sliceBytes: events.map(({ length }) => length),
      keys: eventKeys(events),
      requestReceivedUs: decoded.map(({ requestReceivedUs }) => requestReceivedUs),
      stageUs: decoded.map(({ stageUs }) => stageUs),
      columns: buildColumns(decoded, ARCHIVE_FIELDS),
    },
    positions: [...(sketch.positions ?? events.map((_, index) => first + index))],
    verdicts: {
      ruleSetVersion: 'test',
      rules: rules.map((name) => ({
        name,
        priority: Priority.DEBUG,
        output: [...(sketch.output ?? [])],
      })),
      verdicts: events.map((_, event) => ({
        event,
        findings: rules.map((_name, rule) => ({ rule, message: '', alert: false })),
        strip: Strip.UNSPECIFIED,
        workspace: sketch.workspace ?? '',
      })),
      ignoredCount: 0,
    },
  });
}
