import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AlertServiceService } from '@auditing/proto/alert';
import { ArchiveServiceService } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { RuleServiceService } from '@auditing/proto/rule';
import { grpcClient } from '@auditing/service/grpc-client';
import { admitAll } from '@auditing/service/testing/admit-all';
import { serveGrpc } from '@auditing/service/grpc-server';
import { grpcService } from '@auditing/service/grpc-service';
import { INSECURE } from '@auditing/service/grpc-tls';
import type { Api } from '@auditing/service/rpc';
import { RpcError } from '@auditing/service/rpc-error';
import { readSettings } from '@auditing/service/settings';
import { testRuntime, type TestRuntime } from '@auditing/service/testing/runtime';
import { status } from '@grpc/grpc-js';
import { SETTINGS, type GatewayConfig } from './config';
import { openGateway, type Gateway, type GatewayPeers } from './service';
import { event, eventually } from './testing/gateway';
import { ruleSet, TestAlert, TestArchive, TestRule } from './testing/services';

let runtime: TestRuntime;
let servers: TestRuntime;
let directory: string;
const rule = { current: new TestRule() };
let archive: TestArchive;
let alert: TestAlert;

beforeEach(async () => {
  runtime = testRuntime();
  servers = testRuntime();
  directory = await mkdtemp(join(tmpdir(), 'gateway-'));
  rule.current = new TestRule();
  archive = new TestArchive();
  alert = new TestAlert();
});

afterEach(async () => {
  await runtime.stop();
  await servers.stop();
  await rm(directory, { recursive: true, force: true });
});

describe.each([
  ['in this process', inProcess],
  ['over gRPC', overGrpc],
])('a gateway with its services %s', (_, peers) => {
  test('brings a posted body to the archive and its alert to the alert service', async () => {
    const gateway = await open(await peers());
    const events = [event('a'), event('b', { verb: 'create' })];
    expect(await post(gateway, `{"items":[${events.join(',')}]}`)).toBe(200);
    await eventually('both are stored', () => archive.stored.length === 2);
    await eventually('the alert is raised', () => alert.raised.length === 1);
    expect(archive.stored).toEqual(events);
    expect(alert.raised[0]).toMatchObject({ rule: 'test.rule', event: { auditId: 'b' } });
    await gateway.ready();
  });

  test('goes on where it was after a restart', async () => {
    const first = await open(await peers());
    archive.fault = () => {
      throw new RpcError(status.UNAVAILABLE, 'away');
    };
    expect(await post(first, event('a'))).toBe(200);
    await runtime.stop();
    archive.fault = () => undefined;
    runtime = testRuntime();
    const second = await open(await peers());
    expect(await post(second, event('b'))).toBe(200);
    await eventually('both are stored', () => archive.stored.length === 2);
    expect(archive.stored).toEqual([event('a'), event('b')]);
  });
});

describe('over gRPC', () => {
  test('rules get columns, and whole events where they need them', async () => {
    rule.current.ruleSet = ruleSet({
      projection: {
        fields: [Field.VERB, Field.USER],
        documents: [{ verbs: ['create'], resources: [], subresources: [''] }],
      },
    });
    const gateway = await open(await overGrpc());
    const created = event('b', { verb: 'create' });
    await post(gateway, `{"items":[${[event('a'), created].join(',')}]}`);
    await eventually('both are stored', () => archive.stored.length === 2);
    const [request] = rule.current.requests;
    expect(request?.batch?.columns.map(({ field }) => field)).toEqual([Field.VERB, Field.USER]);
    expect(request?.batch?.block).toBeUndefined();
    expect(request?.projectionVersion).toBe('v1');
    expect(request?.documents.map(({ event: row, json }) => [row, json.toString()])).toEqual([
      [1, created],
    ]);
  });

  test('a projection that is out of date is fetched anew and the batch sent again', async () => {
    const gateway = await open(await overGrpc());
    await post(gateway, event('a'));
    await eventually('it is stored', () => archive.stored.length === 1);
    // As a rule service whose watch lags: it wants fields that the gateway does not know of yet.
    rule.current.ruleSet = ruleSet({
      version: 'v2',
      projection: { fields: [Field.VERB, Field.CODE], documents: [] },
    });
    rule.current.fault = ({ projectionVersion }) => {
      if (projectionVersion !== 'v2') throw new RpcError(status.FAILED_PRECONDITION, 'v2');
    };
    await post(gateway, event('b'));
    await eventually('the second is stored', () => archive.stored.length === 2);
    expect(rule.current.requests.map(({ projectionVersion }) => projectionVersion)).toEqual([
      'v1',
      'v1',
      'v2',
    ]);
  });

  test('events are sent whole when no projection is ever new enough', async () => {
    rule.current.fault = ({ projectionVersion }) => {
      if (projectionVersion !== '') throw new RpcError(status.FAILED_PRECONDITION, 'newer');
    };
    const gateway = await open(await overGrpc());
    await post(gateway, event('a'));
    await eventually('it is stored', () => archive.stored.length === 1);
    expect(rule.current.requests.at(-1)?.documents[0]?.json.toString()).toBe(event('a'));
  });

  test('an archive that goes away and comes back gets everything once', async () => {
    const peers = await overGrpc();
    const gateway = await open(peers);
    await post(gateway, event('a'));
    await eventually('it is stored', () => archive.stored.length === 1);
    await servers.stop();
    for (let index = 0; index < 20; index += 1) await post(gateway, event(`id-${index}`));
    servers = testRuntime();
    await serve(ports);
    await eventually('all are stored', () => archive.stored.length === 21);
    expect(new Set(archive.stored).size).toBe(21);
  });
});

let ports: readonly string[] = [];

function inProcess(): Promise<GatewayPeers> {
  return Promise.resolve({ ...implementations() });
}

async function overGrpc(): Promise<GatewayPeers> {
  ports = await serve(['127.0.0.1:0', '127.0.0.1:0', '127.0.0.1:0']);
  const [ruleAt = '', archiveAt = '', alertAt = ''] = ports;
  const options = { credentials: INSECURE };
  const clients = {
    rule: grpcClient(RuleServiceService, ruleAt, options),
    archive: grpcClient(ArchiveServiceService, archiveAt, options),
    alert: grpcClient(AlertServiceService, alertAt, options),
  };
  for (const client of Object.values(clients)) runtime.closeLater('client', client.close);
  return {
    rule: clients.rule.api,
    archive: clients.archive.api,
    alert: clients.alert.api,
    remote: true,
  };
}

function serve(addresses: readonly string[]): Promise<string[]> {
  const { rule: rules, archive: archives, alert: alerts } = implementations();
  const services = [
    grpcService(RuleServiceService, rules),
    grpcService(ArchiveServiceService, archives),
    grpcService(AlertServiceService, alerts),
  ];
  return Promise.all(
    services.map((service, index) =>
      serveGrpc(
        { ...servers, metrics: testRuntime().metrics },
        {
          listen: addresses[index] ?? '',
          credentials: INSECURE,
          services: [service],
          maxConnectionAgeMs: 0,
          admit: admitAll,
        },
      ),
    ),
  );
}

/** What the doubles do, and nothing else. */
function implementations() {
  const missing = (): never => {
    throw new RpcError(status.UNIMPLEMENTED, 'not part of this test');
  };
  const rules: Api<typeof RuleServiceService> = {
    evaluate: (request) => rule.current.evaluate(request),
    evaluateStream: (requests, signal) => rule.current.evaluateStream(requests, signal),
    watch: (request, signal) => rule.current.watch(request, signal),
    getRuleSet: () => rule.current.getRuleSet(),
    listRules: missing,
    check: missing,
    explain: missing,
    test: missing,
  };
  const archives: Api<typeof ArchiveServiceService> = {
    append: (request) => archive.append(request),
    appendStream: (requests, signal) => archive.appendStream(requests, signal),
    search: missing,
    get: missing,
    statistics: missing,
    histogram: missing,
    facets: missing,
    tail: missing,
    export: missing,
    objectHistory: missing,
    verify: missing,
    stats: missing,
  };
  const alerts: Api<typeof AlertServiceService> = {
    raise: (request) => alert.raise(request),
    raiseStream: (requests, signal) => alert.raiseStream(requests, signal),
    list: missing,
    watch: missing,
    get: missing,
    listReceivers: missing,
    testReceiver: missing,
    probe: missing,
    deadLetters: missing,
    redriveDeadLetters: missing,
    deleteDeadLetters: missing,
  };
  return { rule: rules, archive: archives, alert: alerts };
}

function open(peers: GatewayPeers): Promise<Gateway> {
  const config = readSettings<GatewayConfig>(SETTINGS, {
    AUDITING_DATA_DIR: directory,
    AUDITING_WEBHOOK_PORT: '0',
    AUDITING_WEBHOOK_TLS: 'off',
    AUDITING_WEBHOOK_HOST: '127.0.0.1',
    AUDITING_API_PORT: '0',
  });
  return openGateway({ ...runtime, config }, peers);
}

async function post(gateway: Gateway, body: string): Promise<number> {
  const response = await fetch(gateway.addresses.webhook, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return response.status;
}
