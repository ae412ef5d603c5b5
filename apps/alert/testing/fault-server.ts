import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it came. */
export interface Posted {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
  readonly atMs: number;
}

/** What the server does with a request. */
export type Behaviour =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly text?: string }
  | 'hang'
  | 'reset'
  | 'slow headers'
  | '200 then crash';

/** A server with the interface of Alertmanager or of a webhook, which fails as it is told. */
export interface FaultServer {
  readonly url: string;
  /** Requests it got, in order, whatever it did with them. */
  readonly posted: Posted[];
  /** Requests it answered with 2xx. */
  readonly taken: Posted[];
  /** Decides about each request. */
  behave: (posted: Posted) => Behaviour;
  /** True: a GET is not answered; otherwise it is not found. */
  getsHang: boolean;
  readonly close: () => Promise<void>;
}

/** Starts one; it takes everything until it is told otherwise. */
export async function startFaultServer(): Promise<FaultServer> {
  const http = createServer((request, response) => void handle(request, response));
  const posted: Posted[] = [];
  const taken: Posted[] = [];
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const server: FaultServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    posted,
    taken,
    behave: () => ({ status: 200 }),
    getsHang: false,
    async close() {
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
    },
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      if (server.getsHang) return;
      response.writeHead(404).end();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const one: Posted = {
      path: request.url ?? '',
      headers: request.headers,
      body: JSON.parse(Buffer.concat(chunks).toString()),
      atMs: Date.now(),
    };
    posted.push(one);
    const behaviour = server.behave(one);
    if (behaviour === 'hang') return;
    if (behaviour === 'reset') {
      request.socket.resetAndDestroy();
      return;
    }
    if (behaviour === 'slow headers') {
      response.socket?.write('HTTP/1.1 200 OK\r\nx-slow: ');
      return;
    }
    if (behaviour === '200 then crash') {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{', () => request.socket.destroy());
      return;
    }
    if (behaviour.status < 300) taken.push(one);
    response.writeHead(behaviour.status, behaviour.headers).end(behaviour.text ?? '');
  }
  return server;
}

/** Names of the pods in the alerts of a request to Alertmanager or to a webhook. */
export function namesIn({ body }: Posted): string[] {
  const alerts = Array.isArray(body) ? body : (body as { alerts: unknown[] }).alerts;
  return (alerts as { labels: { name: string } }[]).map(({ labels }) => labels.name);
}
