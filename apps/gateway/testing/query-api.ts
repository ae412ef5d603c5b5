import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { eventKey } from '@auditing/audit-event/event-key';
import { typedEvent } from '@auditing/audit-event/typed-event';
import { AlertKind, AlertStatus, DeliveryState, ReceiverStatus } from '@auditing/proto/alert';
import { Priority, Source, type AuditEvent } from '@auditing/proto/event';
import { RuleStatus } from '@auditing/proto/rule';
import { RpcError } from '@auditing/service/rpc-error';
import { testRuntime } from '@auditing/service/testing/runtime';
import type { AccessConfig } from '@auditing/access/access-settings';
import { accessConfig } from '@auditing/access/testing/access-config';
import { status } from '@grpc/grpc-js';
import type { ApiRoute, QueryServices } from '../api-route';
import type { GatewayConfig } from '../config';
import { serveQueryApi } from '../query-api';
import { AskedArchive } from './asked-archive';
import { event } from './gateway';

/** Where KubeSphere's console asks. */
export const KAPIS = '/kapis/tenant.kubesphere.io/v1alpha2/auditing/events';

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

/** The query API on a free port, over an archive that a test fills. */
export class TestQueryApi {
  readonly runtime = testRuntime();
  readonly archive = new AskedArchive();
  url = '';

  /** Questions about the gateway itself. */
  ownRoutes: readonly ApiRoute[] = [];

  /** Listens; the archive may be another way to that of the test. */
  async serve(
    access: Partial<AccessConfig> = {},
    api: Partial<GatewayConfig['api']> = {},
    archive: QueryServices['archive'] = this.archive,
  ): Promise<void> {
    const config = {
      api: {
        host: '127.0.0.1',
        port: 0,
        queryTimeoutMs: 60_000,
        maxQueries: 32,
        maxStreams: 32,
        ...api,
      },
      access: accessConfig(access),
    };
    const options = { config, services: this.#services(archive), ownRoutes: this.ownRoutes };
    this.url = await serveQueryApi(options, this.runtime);
  }

  #services(archive: QueryServices['archive']): QueryServices {
    return {
      archive,
      rule: {
        listRules: () =>
          Promise.resolve({
            rules: [RuleStatus.create({ name: 'a.b', priority: Priority.INFO, matchCount: 3n })],
          }),
      },
      alert: {
        raise: missing,
        raiseStream: missing,
        watch: missing,
        get: () => Promise.resolve(alertStatus()),
        listReceivers: () => Promise.resolve({ receivers: [receiverStatus()] }),
        testReceiver: missing,
        probe: missing,
        deadLetters: (request) => {
          this.archive.asked.push(request);
          const alert = alertStatus();
          const [delivery] = alert.deliveries;
          const deadAt = { seconds: 3n, nanos: 0 };
          const deadLetters = [{ alert, delivery, deadAt }];
          return Promise.resolve({ deadLetters, nextCursor: '', totalCount: 7 });
        },
        redriveDeadLetters: (request) => {
          this.archive.asked.push(request);
          return Promise.resolve({ redrivenCount: 2 });
        },
        deleteDeadLetters: (request) => {
          this.archive.asked.push(request);
          return Promise.resolve({ deletedCount: 3 });
        },
        list: (request) => {
          this.archive.asked.push(request);
          return Promise.resolve({ alerts: [alertStatus()], nextCursor: '12' });
        },
      },
    };
  }

  /** Asks, and reads the answer as JSON. */
  async ask(path: string): Promise<{ status: number; body: unknown }> {
    const { status: code, bytes } = await this.get(path);
    return { status: code, body: JSON.parse(bytes.toString()) as unknown };
  }

  /** Has something done, and reads the answer as JSON. */
  async does(
    method: 'POST' | 'DELETE',
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${this.url}${path}`, { method, headers });
    return { status: response.status, body: await response.json() };
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
  open(
    path: string,
    headers: Record<string, string> = {},
    method = 'GET',
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      httpRequest(`${this.url}${path}`, { method, headers, agent: false }, resolve)
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

const missing = (): never => {
  throw new RpcError(status.UNIMPLEMENTED, 'not part of this test');
};

function alertStatus(): AlertStatus {
  return AlertStatus.fromPartial({
    alert: {
      rule: 'a.b',
      priority: Priority.WARNING,
      message: 'm',
      // Younger than any namespace.
      event: typed(event('a', { requestReceivedTimestamp: '2100-01-01T00:00:00Z' })),
    },
    id: Buffer.alloc(32, 1),
    kind: AlertKind.UPDATE,
    group: Buffer.alloc(32, 2),
    summary: {
      count: 250,
      firstSeen: { seconds: 1n, nanos: 0 },
      outcome: '403 Forbidden',
      auditIds: ['a'],
      eventKeys: [Buffer.alloc(32, 3)],
    },
    raisedAt: { seconds: 1n, nanos: 0 },
    deliveries: [
      {
        receiver: 'am',
        id: 'f'.repeat(64),
        state: DeliveryState.DELIVERED,
        attemptCount: 1,
        lastError: '',
        deliveredAt: { seconds: 2n, nanos: 0 },
        digested: true,
        digest: Buffer.alloc(32, 4),
        silencedBy: ['s1'],
      },
    ],
  });
}

function receiverStatus(): ReceiverStatus {
  return ReceiverStatus.fromPartial({
    name: 'am',
    type: 'alertmanager',
    pendingCount: 5,
    oldestPending: { seconds: 1n, nanos: 0 },
    instances: [{ address: 'http://am:9093', available: true, owedCount: 2, refusedCount: 0 }],
  });
}
