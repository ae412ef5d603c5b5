import { batchName } from '@auditing/audit-event/batch-name';
import { decodedEvents } from '@auditing/audit-event/decoded-batch';
import type { DecodedEvent } from '@auditing/audit-event/decoded-event';
import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { Guard } from './attempts';
import { FinalError } from './bisect';
import type { DeadLetters } from './dead-letters';
import type { PeerName } from './peer';
import type { PipelineMetrics } from './pipeline-metrics';
import type { SpoolPart } from './spool';

/** Who refused an event, and how. */
export interface Refusal {
  readonly service: PeerName;
  readonly cause: unknown;
}

/** Puts aside what can go no further; resolves when it is on disk. The same bytes are kept once. */
export interface Burial {
  /** One event, as received. */
  buryEvent(part: SpoolPart, event: DecodedEvent, refusal: Refusal): Promise<void>;
  /** A part whose events cannot be read: its block as it lies in the spool. */
  buryPart(part: SpoolPart, cause: unknown): Promise<void>;
}

/** What burying needs. */
export interface BurialOptions {
  readonly deadLetters: Pick<DeadLetters, 'add'>;
  readonly metrics: PipelineMetrics;
  readonly log: Logger;
}

/** Buries among the dead letters. */
export function openBurial({ deadLetters, metrics, log }: BurialOptions): Burial {
  return {
    async buryEvent({ batch }, event, { service, cause }) {
      const error = {
        code: cause instanceof RpcError ? cause.code : status.INTERNAL,
        message: cause instanceof Error ? cause.message : String(cause),
      };
      log.error({ err: cause, service, batch: batchName(batch.id) }, 'event refused for good');
      metrics.refused.inc({ service });
      await deadLetters.add({
        kind: 'event',
        receivedAtUs: batch.receivedAtUs,
        reason: `the ${service} service refuses this event: ${error.message}`,
        data: event.bytes,
        error,
      });
    },
    async buryPart({ batch, position }, cause) {
      log.error(
        { err: cause, batch: batchName(batch.id), position },
        'part of the spool cannot be read',
      );
      metrics.refused.inc({ service: 'spool' }, batch.eventCount);
      const why = cause instanceof Error ? cause.message : String(cause);
      await deadLetters.add({
        kind: 'event',
        receivedAtUs: batch.receivedAtUs,
        reason: `${batch.eventCount} events at ${position} of the spool cannot be read: ${why}. The data is their compressed block`,
        data: batch.block?.data ?? Buffer.alloc(0),
      });
    },
  };
}

/** The events of a part; undefined if they cannot be read, and the part has been buried. */
export async function readEvents(
  part: SpoolPart,
  { burial, guard }: { readonly burial: Burial; readonly guard: Guard },
): Promise<readonly DecodedEvent[] | undefined> {
  const { position, batch, listSource } = part;
  const range = { first: 0, count: batch.eventCount };
  try {
    return await guard({ kind: 'read', position, range }, () => decodedEvents(batch, listSource));
  } catch (error) {
    await burial.buryPart(part, error instanceof FinalError ? error.cause : error);
    return undefined;
  }
}
