import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';

/** Where an answer ended: the time of the last event given, and how many events of that time were given. */
export interface HistoryPlace {
  readonly timeUs: number;
  readonly givenCount: number;
}

const FORM = /^(\d{1,16})\.(\d{1,9})$/;

/** The text of a place. */
export function writeHistoryCursor({ timeUs, givenCount }: HistoryPlace): string {
  return Buffer.from(`${timeUs}.${givenCount}`).toString('base64url');
}

/**
 * What a cursor says; undefined for the empty one.
 *
 * @throws INVALID_ARGUMENT if it is none.
 */
export function readHistoryCursor(cursor: string): HistoryPlace | undefined {
  if (cursor === '') return undefined;
  const match = FORM.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (match === null) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      'cursor: expected the next_cursor of an earlier answer, got other text',
    );
  }
  return { timeUs: Number(match[1]), givenCount: Number(match[2]) };
}
