import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { eventKey } from '@auditing/audit-event/event-key';
import { typedEvent } from '@auditing/audit-event/typed-event';
import { DeliveryState, type AlertStatus } from '@auditing/proto/alert';
import type { SearchRequest, SearchResponse, StatisticsResponse } from '@auditing/proto/archive';
import { Priority, Source, type AuditEvent } from '@auditing/proto/event';
import { RuleStatus } from '@auditing/proto/rule';
import { RpcError } from '@auditing/service/rpc-error';
import { testRuntime } from '@auditing/service/testing/runtime';
import { accessConfig } from '@auditing/access/testing/access-config';
import { status } from '@grpc/grpc-js';
import { kapisRoutes } from '../kapis-routes';
import { ownRoutes, type QueryServices } from '../own-routes';
import { serveQueryApi } from '../query-api';
import { event } from './gateway';

/** Where KubeSphere's console asks. */
export const KAPIS = '/kapis/tenant.kubesphere.io/v1alpha2/auditing/events';

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

/** An archive that says what it was asked and answers what the test wants. */
export class AskedArchive {
  readonly searches: SearchRequest[] = [];
  readonly asked: unknown[] = [];
  answers: Partial<SearchResponse>[] = [];
  failure: Error | undefined;
  /** Set when a search or tail was told to end. */
  ended = false;
  endless = false;

  async *search(request: SearchRequest, signal: AbortSignal): AsyncGenerator<SearchResponse, void> {
    this.searches.push(request);
    if (this.failure) throw this.failure;
    for (const { events = [], ...answer } of this.answers) {
      const asked = request.includeRaw ? events : events.map(withoutRaw);
      yield { nextCursor: '', total: 0n, progress: undefined, ...answer, events: asked };
    }
    if (this.endless) await this.#untilAborted(signal);
  }

  get({ key }: { key: Buffer }): Promise<AuditEvent> {
    const found = this.answers.flatMap(({ events = [] }) => events);
    const one = found.find((candidate) => candidate.key.equals(key));
    return one
      ? Promise.resolve(one)
      : Promise.reject(new RpcError(status.NOT_FOUND, 'no event with this key'));
  }

  statistics(request: unknown): Promise<StatisticsResponse> {
    this.asked.push(request);
    return Promise.resolve({ eventCount: 7n, requestCount: 5n });
  }

  histogram(request: unknown) {
    this.asked.push(request);
    const at = (text: string) => ({ seconds: BigInt(Date.parse(text) / 1_000), nanos: 0 });
    return Promise.resolve({
      buckets: [
        { start: at('2024-01-31T00:00:00Z'), count: 1n },
        { start: at('2024-02-01T00:00:00Z'), count: 2n },
        { start: at('2024-02-02T00:00:00Z'), count: 3n },
      ],
      total: 6n,
    });
  }

  facets(request: unknown) {
    this.asked.push(request);
    return Promise.resolve({ facets: [{ value: 'admin', count: 3n }], valueCount: 1n });
  }

  async *tail(request: unknown, signal: AbortSignal): AsyncGenerator<AuditEvent, void> {
    this.asked.push(request);
    for (const { events = [] } of this.answers) yield* events;
    await this.#untilAborted(signal);
  }

  async #untilAborted(signal: AbortSignal): Promise<void> {
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    this.ended = true;
  }
}

/** The query API on a free port, over an archive that a test fills. */
export class TestQueryApi {
  readonly runtime = testRuntime();
  readonly archive = new AskedArchive();
  url = '';

  /** Listens. */
  async serve(token?: string): Promise<void> {
    const { archive } = this;
    const services: QueryServices = {
      archive,
      rule: {
        listRules: () =>
          Promise.resolve({
            rules: [RuleStatus.create({ name: 'a.b', priority: Priority.INFO, matchCount: 3n })],
          }),
      },
      alert: {
        list: (request) => {
          archive.asked.push(request);
          return Promise.resolve({ alerts: [alertStatus()] });
        },
      },
    };
    const routes = { ...kapisRoutes(archive), ...ownRoutes(services) };
    const config = { api: { host: '127.0.0.1', port: 0 }, access: accessConfig({ token }) };
    this.url = await serveQueryApi(config, routes, this.runtime);
  }

  /** Asks, and reads the answer as JSON. */
  async ask(path: string): Promise<{ status: number; body: unknown }> {
    const { status: code, bytes } = await this.get(path);
    return { status: code, body: JSON.parse(bytes.toString()) as unknown };
  }

  /** Asks. */
  async get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await this.open(path, headers);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      bytes: Buffer.concat(chunks),
    };
  }

  /** Asks, and gives the answer while its body is still to come, on a connection of its own. */
  open(path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      httpRequest(`${this.url}${path}`, { headers, agent: false }, resolve)
        .on('error', reject)
        .end();
    });
  }
}

/** An event as the archive gives it, with its bytes. */
export function typed(text: string | Buffer): AuditEvent {
  const bytes = Buffer.from(text);
  const extras = { key: eventKey(bytes), listSource: Source.KUBERNETES, includeRaw: true };
  return typedEvent(bytes, extras);
}

function withoutRaw(one: AuditEvent): AuditEvent {
  return { ...one, raw: Buffer.alloc(0) };
}

function alertStatus(): AlertStatus {
  return {
    alert: { rule: 'a.b', priority: Priority.WARNING, message: 'm', event: typed(event('a')) },
    raisedAt: { seconds: 1n, nanos: 0 },
    deliveries: [
      {
        receiver: 'am',
        id: 'f'.repeat(64),
        state: DeliveryState.DELIVERED,
        attemptCount: 1,
        lastError: '',
        deliveredAt: { seconds: 2n, nanos: 0 },
      },
    ],
  };
}
