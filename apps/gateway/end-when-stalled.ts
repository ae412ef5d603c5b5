import type { ServerResponse } from 'node:http';

/** A client that takes nothing of its answer for so long has its connection closed: it holds a place and a query. */
export const STALL_MS = 60_000;

/** Ends an answer that the client does not read any more. One that has nothing to send may take its time. */
export function endWhenStalled(response: ServerResponse, stallMs: number): void {
  // Node tells when nothing moved on the connection, whichever side is to blame.
  response.setTimeout(stallMs, () => {
    const { socket } = response;
    if (socket === null || socket.writableLength > 0) response.destroy();
    else socket.setTimeout(stallMs);
  });
}
