import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { KubeConnection } from '../kube-connection';
import { FakeKubeStore, Refusal, type Place, type StoredChange } from './fake-kube-store';
import type { Json } from './merge-applied';

/** What a request is, for faults. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Json;
  readonly authorization: string | undefined;
}

/** An API server over real HTTP that can be told to misbehave. */
export interface FakeKubeApi {
  readonly connection: KubeConnection;
  readonly store: FakeKubeStore;
  /** Every request that came, oldest first, but for the bodies of watches. */
  readonly requests: FakeRequest[];
  /** Asked first for each request: an answer of its own, a wait, or undefined to go on. */
  onRequest: (request: FakeRequest) => FakeAnswer | undefined | Promise<FakeAnswer | undefined>;
  /** Watches that are open now. */
  readonly watchCount: () => number;
  /** Breaks every watch in the middle of a line. */
  readonly breakWatches: () => void;
  /** Sends a line to every watch. */
  readonly tellWatches: (line: object) => void;
  /** Forgets all history: watches that go on from before are answered 410. */
  readonly forget: () => void;
  /** Ends as a process that is killed; objects stay. */
  readonly stop: () => Promise<void>;
  /** Starts again at the same port. */
  readonly start: () => Promise<void>;
}

/** An answer that takes the place of the usual one. */
export interface FakeAnswer {
  readonly code: number;
  readonly body: object;
}

/** Starts a fake API server. It knows every kind. */
export async function fakeKubeApi(): Promise<FakeKubeApi> {
  const store = new FakeKubeStore();
  const watches = new Set<Watch>();
  const sockets = new Set<Socket>();
  const requests: FakeRequest[] = [];
  let server: Server | undefined;
  let port = 0;
  const api: FakeKubeApi = {
    get connection() {
      const server = `http://127.0.0.1:${port}`;
      return {
        server,
        namespace: 'default',
        credentials: () => Promise.resolve({ authorization: 'Bearer fake' }),
      };
    },
    store,
    requests,
    onRequest: () => undefined,
    watchCount: () => watches.size,
    breakWatches() {
      for (const watch of watches) {
        const { response } = watch;
        watches.delete(watch);
        response.write('{"type":"MODIF', () => response.destroy());
      }
    },
    tellWatches(line) {
      for (const { response } of watches) response.write(`${JSON.stringify(line)}\n`);
    },
    forget() {
      store.changes.length = 0;
      store.version += 1;
      store.forgottenBefore = store.version;
    },
    async stop() {
      if (!server) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      server = undefined;
    },
    async start() {
      server = createServer((request, response) => {
        void answer({ api, watches }, request, response);
      });
      // Kept open until a test closes them, however long it is held up.
      server.keepAliveTimeout = 0;
      server.on('connection', (socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
      });
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      port = (server.address() as AddressInfo).port;
    },
  };
  store.onChange = () => {
    for (const watch of watches) send(watch, store);
  };
  await api.start();
  return api;
}

interface Watch {
  readonly place: Place;
  readonly response: ServerResponse;
  from: number;
}

interface Context {
  readonly api: FakeKubeApi;
  readonly watches: Set<Watch>;
}

async function answer(
  context: Context,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { api } = context;
  const url = new URL(incoming.url ?? '/', 'http://fake');
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch {
    return;
  }
  const text = Buffer.concat(chunks).toString('utf8');
  const request: FakeRequest = {
    method: incoming.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    body: text === '' ? {} : (JSON.parse(text) as Json),
    authorization: incoming.headers.authorization,
  };
  api.requests.push(request);
  try {
    const own = await api.onRequest(request);
    if (own) {
      reply(response, own.code, own.body);
      return;
    }
    const place = placeOf(url.pathname);
    if (url.searchParams.get('watch') === 'true') openWatch({ context, place, request }, response);
    else reply(response, request.method === 'POST' ? 201 : 200, handle(api.store, place, request));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, reason, message } = error;
    reply(response, code, { kind: 'Status', status: 'Failure', code, reason, message });
  }
}

function reply(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function handle(store: FakeKubeStore, place: Place, request: FakeRequest): object {
  const { method, body, query } = request;
  switch (method) {
    case 'GET':
      return place.name === undefined ? page(store, place, query) : store.get(place);
    case 'POST':
      return store.create(place, body);
    case 'PUT':
      return store.replace(place, body);
    case 'PATCH':
      return store.apply(place, body, query.get('fieldManager') ?? '');
    case 'DELETE':
      return store.delete(place);
    default:
      throw new Refusal(405, 'MethodNotAllowed', method);
  }
}

function page(store: FakeKubeStore, place: Place, query: URLSearchParams): object {
  const all = store.list(place);
  const from = Number(query.get('continue') ?? '0');
  const limit = Number(query.get('limit') ?? '0') || all.length;
  const items = all.slice(from, from + limit);
  const next = from + limit < all.length ? String(from + limit) : '';
  return {
    kind: 'List',
    metadata: { resourceVersion: String(store.version), continue: next },
    items,
  };
}

function openWatch(
  { context, place, request }: { context: Context; place: Place; request: FakeRequest },
  response: ServerResponse,
): void {
  const { api, watches } = context;
  const from = Number(request.query.get('resourceVersion') ?? '0');
  if (from < api.store.forgottenBefore)
    throw new Refusal(410, 'Expired', `too old resource version: ${from}`);
  response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
  const watch: Watch = { place, response, from };
  watches.add(watch);
  response.once('close', () => watches.delete(watch));
  send(watch, api.store);
}

function send(watch: Watch, store: FakeKubeStore): void {
  for (const { version, type, object, collection } of store.changes) {
    if (version <= watch.from) continue;
    watch.from = version;
    if (!concerns(watch.place, { collection, object })) continue;
    watch.response.write(`${JSON.stringify({ type, object })}\n`);
  }
}

function concerns(
  place: Place,
  { collection, object }: Pick<StoredChange, 'collection' | 'object'>,
): boolean {
  if (collection !== place.collection) return false;
  return place.namespace === undefined || object.metadata.namespace === place.namespace;
}

/** `/apis/GROUP/VERSION/…` or `/api/v1/…`. */
function placeOf(path: string): Place {
  const [root, ...rest] = path.split('/').slice(1).map(decodeURIComponent);
  const group = rest.splice(0, root === 'api' ? 1 : 2).join('/');
  const isNamespaced = rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status';
  const namespace = isNamespaced ? rest.splice(0, 2)[1] : undefined;
  const [plural = '', name, subresource] = rest;
  return { collection: `${group}/${plural}`, namespace, name, subresource };
}
