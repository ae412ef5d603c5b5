import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

import { OPENSEARCH_URL } from './opensearch';

/** An answer that OpenSearch did not give. */
export interface Fault {
  readonly status: number;
  readonly type: string;
  readonly reason?: string;
}

/** What goes wrong. Each is asked for every request; undefined lets it through. */
export interface Faults {
  /** A whole request: another answer, or none at all. */
  request?: (
    method: string,
    path: string,
    headers: IncomingMessage['headers'],
  ) => Fault | 'cut' | undefined;
  /** One document of a bulk request, which then never reaches OpenSearch. */
  document?: (id: string) => Fault | undefined;
  /** The answer is thrown away after OpenSearch has done what was asked. */
  loseAnswer?: (path: string) => boolean;
  /** The body of an answer that a plug-in would give. */
  plugin?: (
    method: string,
    path: string,
    body: string,
  ) => { status: number; body: object } | undefined;
}

/** A proxy before the real OpenSearch, in which things go wrong. */
export interface FaultProxy {
  readonly url: string;
  faults: Faults;
  /** Nobody listens any more. */
  readonly down: () => Promise<void>;
  /** Listens again, on the same port. */
  readonly up: () => Promise<void>;
}

/** Starts one; `tls` makes it speak TLS. */
export async function startFaultProxy(tls?: ServerOptions): Promise<FaultProxy> {
  let port = 0;
  const listener: RequestListener = (request, response) => {
    handle(proxy.faults, request, response).catch((error: unknown) =>
      response.destroy(error as Error),
    );
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  const up = async (): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  };
  await up();
  const proxy: FaultProxy = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    faults: {},
    up,
    async down() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return proxy;
}

async function handle(
  faults: Faults,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await textOf(request);
  const { method = 'GET', url = '/', headers } = request;
  const fault = faults.request?.(method, url, headers);
  if (fault === 'cut') {
    response.destroy();
    return;
  }
  if (fault) {
    answer(response, fault.status, JSON.stringify({ error: errorOf(fault), status: fault.status }));
    return;
  }
  const plugin = faults.plugin?.(method, url, body);
  if (plugin) {
    answer(response, plugin.status, JSON.stringify(plugin.body));
    return;
  }
  const isBulk = url.startsWith('/_bulk') && faults.document !== undefined;
  const { status, text } = isBulk
    ? await bulk(faults, url, body)
    : await forward(method, url, body);
  if (faults.loseAnswer?.(url) === true) response.destroy();
  else answer(response, status, text);
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(body);
}

function errorOf({ type, reason = 'said by a test' }: Fault): object {
  return { type, reason, root_cause: [{ type, reason }] };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function forward(
  method: string,
  path: string,
  body: string,
): Promise<{ status: number; text: string }> {
  const type = path.includes('_bulk') ? 'application/x-ndjson' : 'application/json';
  const response = await fetch(new URL(path, OPENSEARCH_URL), {
    method,
    ...(body !== '' && { body, headers: { 'content-type': type } }),
  });
  return { status: response.status, text: await response.text() };
}

/** Takes out the documents that go wrong, and puts their errors into the answer. */
async function bulk(
  faults: Faults,
  path: string,
  body: string,
): Promise<{ status: number; text: string }> {
  const lines = body.trimEnd().split('\n');
  const passed: string[] = [];
  const verdicts: (Fault | undefined)[] = [];
  for (let at = 0; at < lines.length; at += 2) {
    const action = JSON.parse(lines[at] ?? '{}') as { create: { _id: string } };
    const fault = faults.document?.(action.create._id);
    verdicts.push(fault);
    if (fault === undefined) passed.push(lines[at] ?? '', lines[at + 1] ?? '');
  }
  let items: unknown[] = [];
  if (passed.length > 0) {
    const { text } = await forward('POST', path, `${passed.join('\n')}\n`);
    ({ items } = JSON.parse(text) as { items: unknown[] });
  }
  const all = verdicts.map((fault) =>
    fault ? { create: { status: fault.status, error: errorOf(fault) } } : items.shift(),
  );
  return { status: 200, text: JSON.stringify({ errors: true, items: all }) };
}
