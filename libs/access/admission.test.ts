import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AlertServiceService } from '@auditing/proto/alert';
import { ArchiveServiceService } from '@auditing/proto/archive';
import { RuleServiceService } from '@auditing/proto/rule';
import { serveGrpc } from '@auditing/service/grpc-server';
import { INSECURE, openGrpcCredentials, type GrpcTlsConfig } from '@auditing/service/grpc-tls';
import { RpcError } from '@auditing/service/rpc-error';
import { testAuthority } from '@auditing/service/testing/authority';
import { testRuntime, type TestRuntime } from '@auditing/service/testing/runtime';
import {
  ChannelCredentials,
  Client,
  Metadata,
  status,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { admission } from './admission';
import { accessBy } from './access';
import { RPC_NEEDS, type Need } from './needs';
import { accessConfig } from './testing/access-config';

const SERVICES: readonly ServiceDefinition[] = [
  ArchiveServiceService,
  RuleServiceService,
  AlertServiceService,
];
const METHODS = SERVICES.flatMap((service) => Object.values(service));

/** Code of a call that was let in: the services of this test do nothing. */
const IN = status.UNIMPLEMENTED;
const UNKNOWN = status.UNAUTHENTICATED;
const DENIED = status.PERMISSION_DENIED;

let folder: string;
let runtime: TestRuntime;
const certificates: Record<string, GrpcTlsConfig> = {};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'admission-'));
  const authority = await testAuthority(folder);
  for (const name of ['auditing-gateway', 'auditing-alert', 'auditing-rule', 'stranger', '*']) {
    certificates[name] = await authority.issue(name === '*' ? 'wild' : name, [name]);
  }
});

afterAll(() => rm(folder, { recursive: true }));

beforeEach(() => {
  runtime = testRuntime();
});

afterEach(() => runtime.stop());

/** Serves all services, each method of which answers UNIMPLEMENTED. */
async function serve(isSecure: boolean, token: string | undefined): Promise<string> {
  const fail = (): never => {
    throw new RpcError(IN, 'let in');
  };
  const services = SERVICES.map((definition) => ({
    definition,
    api: Object.fromEntries(Object.keys(definition).map((name) => [name, fail])),
  }));
  const access = accessBy({
    config: accessConfig({ token }),
    reviews: undefined,
    hasCertificates: isSecure,
  });
  return serveGrpc(runtime, {
    listen: 'localhost:0',
    credentials: isSecure
      ? await openGrpcCredentials(certificates['stranger']!, runtime)
      : INSECURE,
    admit: admission(access),
    services,
    maxConnectionAgeMs: 0,
  });
}

interface Showing {
  readonly certificate?: string;
  readonly token?: string;
}

/** Calls every method, and gives how each ended, by its need. */
async function callAll(
  target: string,
  isSecure: boolean,
  { certificate, token }: Showing,
): Promise<Partial<Record<Need, Set<status>>>> {
  const { ca } = certificates['stranger']!;
  const tls =
    certificate === undefined ? { cert: undefined, key: undefined } : certificates[certificate]!;
  const client = new Client(target, isSecure ? await channel({ ...tls, ca }) : INSECURE.client);
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  const codes: Partial<Record<Need, Set<status>>> = {};
  for (const { path, requestStream, requestSerialize, responseDeserialize } of METHODS) {
    const call = requestStream
      ? client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata)
      : client.makeServerStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          // Every request of ours may be empty.
          METHODS.find((method) => method.path === path)!.requestDeserialize(Buffer.alloc(0)),
          metadata,
        );
    const ended = new Promise<status>((resolve) => {
      call.on('error', () => undefined);
      call.on('status', ({ code }) => resolve(code));
    });
    call.resume();
    const need = RPC_NEEDS[path]!;
    (codes[need] ??= new Set()).add(await ended);
  }
  client.close();
  return codes;
}

/** As `openGrpcCredentials`, but also without a certificate of one's own. */
async function channel({ cert, key, ca }: GrpcTlsConfig) {
  if (cert !== undefined) return (await openGrpcCredentials({ cert, key, ca }, runtime)).client;
  return ChannelCredentials.createSsl(await readFile(ca ?? ''));
}

const NEEDS = [
  'gateway',
  'gateway or alert',
  'events',
  'rules',
  'all events',
  'all events or rule',
  'dead letters',
] as const;

describe.each([
  ['with a token', 'sesame'],
  ['without a token', undefined],
] as const)('mutual TLS %s', (_, expected) => {
  const tool = expected === undefined ? UNKNOWN : IN;
  test.each<[string, Showing, readonly status[]]>([
    ['nothing', {}, [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]],
    ['the token', { token: 'sesame' }, [UNKNOWN, UNKNOWN, tool, tool]],
    ['another token', { token: 'guess' }, [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]],
    ['the gateway', { certificate: 'auditing-gateway' }, [IN, IN, IN, IN]],
    ['the alert service', { certificate: 'auditing-alert' }, [DENIED, IN, UNKNOWN, UNKNOWN]],
    ['the rule service', { certificate: 'auditing-rule' }, [DENIED, DENIED, UNKNOWN, UNKNOWN, IN]],
    ['another certificate', { certificate: 'stranger' }, [DENIED, DENIED, UNKNOWN, UNKNOWN]],
    // It still has the name localhost.
    ['a certificate for all names', { certificate: '*' }, [DENIED, DENIED, UNKNOWN, UNKNOWN]],
  ])('who shows %s', async (_name, showing, codes) => {
    const target = await serve(true, expected);
    const ended = await callAll(target, true, showing);
    // What all events need, a tool shows as it shows that for its own.
    const expectedCodes = [...codes.slice(0, 4), codes[3], codes[4] ?? codes[3], codes[3]];
    expect(NEEDS.map((need) => [...(ended[need] ?? [])])).toEqual(
      expectedCodes.map((code) => [code]),
    );
  });
});

test('without TLS and token everybody on this machine may call', async () => {
  const ended = await callAll(await serve(false, undefined), false, {});
  expect(NEEDS.map((need) => [...(ended[need] ?? [])])).toEqual(NEEDS.map(() => [IN]));
});

test('without TLS the token, if there is one, is asked for by every call', async () => {
  const target = await serve(false, 'sesame');
  for (const [showing, code] of [
    [{}, UNKNOWN],
    [{ token: 'sesame' }, IN],
  ] as const) {
    const ended = await callAll(target, false, showing);
    expect(NEEDS.map((need) => [...(ended[need] ?? [])])).toEqual(NEEDS.map(() => [code]));
  }
});

test('a call that is not in the table is refused', async () => {
  const admit = admission(() => Promise.resolve({ scope: undefined }));
  const call = { path: '/x.Y/Z', caller: { token: undefined, names: [] }, api: {} };
  await expect(admit(call)).rejects.toThrow('nothing says who may call /x.Y/Z');
});
