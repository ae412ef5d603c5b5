import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** What a relay does with a connection: the client's side, and its own to the server. */
export type Relaying = (client: Socket, server: Socket) => void;

/** Stands between a test's Redis with TLS and its clients. */
export interface Relay {
  /** As a client names it: `rediss://localhost:PORT`. */
  readonly url: string;
  /** How many connections there were. */
  readonly connectionCount: () => number;
  readonly close: () => Promise<void>;
}

/** A TLS record that fits no connection. */
const BROKEN_RECORD = Buffer.from(`1703030020${'00'.repeat(32)}`, 'hex');

/** A new relay to the Redis of a URL. */
export async function relay(target: string, relaying: Relaying): Promise<Relay> {
  const port = Number(new URL(target).port);
  const sockets = new Set<Socket>();
  let connectionCount = 0;
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const server = createConnection({ host: '127.0.0.1', port, allowHalfOpen: true });
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('close', () => server.destroy());
    connectionCount += 1;
    relaying(client, server);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    url: `rediss://localhost:${(listener.address() as AddressInfo).port}`,
    connectionCount: () => connectionCount,
    async close() {
      const closed = once(listener, 'close');
      listener.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/**
 * Leaves after the client's first words, as a client does that is stopped then: OpenSSL answers with its side of the
 * handshake and the alert `decode_error`. Both come in one piece, as they do on a busy machine.
 */
export const leavingEarly: Relaying = (client, server) => {
  const answer: Buffer[] = [];
  client.once('data', (hello) => server.end(hello));
  server.on('data', (part) => answer.push(part));
  server.on('end', () => client.end(Buffer.concat(answer)));
};

/** Passes everything on; `spoil` sends what is no answer to all clients there are, and from then on nothing. */
export function spoiling(): { readonly relaying: Relaying; readonly spoil: () => void } {
  const pairs: [client: Socket, server: Socket][] = [];
  return {
    relaying(client, server) {
      pairs.push([client, server]);
      client.pipe(server);
      server.pipe(client);
    },
    spoil() {
      for (const [client, server] of pairs.splice(0)) {
        server.unpipe(client);
        client.unpipe(server);
        client.resume().once('end', () => client.destroy());
        client.write(BROKEN_RECORD);
      }
    },
  };
}
