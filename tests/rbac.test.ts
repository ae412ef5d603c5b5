import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alertService } from '@auditing/alert/service';
import { archiveService } from '@auditing/archive/service';
import { gatewayService } from '@auditing/gateway/service';
import { fakeKubeApi, type FakeKubeApi } from '@auditing/kubernetes/testing/fake-kube-api';
import { until } from '@auditing/kubernetes/testing/until';
import { operatorService } from '@auditing/operator/service';
import { AlertServiceService, ListRequest } from '@auditing/proto/alert';
import { ArchiveServiceService, SearchRequest } from '@auditing/proto/archive';
import { RuleServiceService } from '@auditing/proto/rule';
import { ruleService } from '@auditing/rule/service';
import { grpcClient } from '@auditing/service/grpc-client';
import { INSECURE } from '@auditing/service/grpc-tls';
import type { Service } from '@auditing/service/service';
import { start, type Started } from '@auditing/service/start';
import { testRuntime } from '@auditing/service/testing/runtime';
import { parse } from 'yaml';
import { hasKustomize, kustomize } from './kustomize';
import { compare, grantsOf, recordNeeds } from './permissions';

jest.setTimeout(300_000);

const NAMESPACE = 'kubesphere-logging-system';
const K8S = join(__dirname, '../k8s');
const never = new AbortController().signal;
const title = 'needs kustomize 5, of kubectl 1.27 or by itself';
const describeRoles = hasKustomize() ? describe : describe.skip;

/** Calls of people need a token, and somebody who may see something. */
function reviewing({
  path,
}: {
  readonly path: string;
}): { code: number; body: object } | undefined {
  if (path === '/apis/policy') return { code: 200, body: { versions: [{ version: 'v1' }] } };
  if (path.endsWith('/tokenreviews'))
    return {
      code: 201,
      body: { status: { authenticated: true, user: { username: 'ann', groups: [] } } },
    };
  // Not all events, so that each namespace is asked about; rules, though.
  if (path.endsWith('/subjectaccessreviews'))
    return { code: 201, body: { status: { allowed: false } } };
  return undefined;
}

describeRoles(`roles grant what services do, and nothing else (${title})`, () => {
  const manifests = hasKustomize() ? kustomize('overlays/minimal') : [];
  let api: FakeKubeApi;
  let folder: string;
  let started: Started | undefined;
  let recorded: ReturnType<typeof recordNeeds>;

  beforeEach(async () => {
    api = await fakeKubeApi();
    api.onRequest = reviewing;
    recorded = recordNeeds(api);
    folder = mkdtempSync(join(tmpdir(), 'rbac-'));
    writeFileSync(
      join(folder, 'kubeconfig'),
      JSON.stringify({
        'current-context': 'x',
        contexts: [{ name: 'x', context: { cluster: 'x', user: 'x', namespace: NAMESPACE } }],
        clusters: [{ name: 'x', cluster: { server: api.connection.server } }],
        users: [{ name: 'x', user: { token: 'fake' } }],
      }),
    );
  });

  afterEach(async () => {
    await started?.stop();
    started = undefined;
    await api.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function run<Config>(
    service: Service<Config>,
    env: Record<string, string> = {},
  ): Promise<Readonly<Record<string, string>>> {
    started = await start(
      service,
      {
        AUDITING_KUBECONFIG: join(folder, 'kubeconfig'),
        AUDITING_DATA_DIR: folder,
        AUDITING_ADMIN_PORT: '0',
        AUDITING_ACCESS: 'kubernetes',
        ...(service.name !== 'operator' && { AUDITING_GRPC_LISTEN: '127.0.0.1:0' }),
        ...env,
      },
      testRuntime().log,
    );
    return started.addresses;
  }

  const put = (plural: string, object: object, namespace?: string): void => {
    const [collection, name] = [`auditing.kubesphere.io/v1alpha1/${plural}`, undefined];
    api.store.create(
      { collection, namespace, name, subresource: undefined },
      structuredClone(object) as Record<string, unknown>,
    );
  };
  const shipped = (file: string): object =>
    parse(readFileSync(join(K8S, 'base', file), 'utf8')) as object;
  const called = (method: string, path: RegExp): boolean =>
    api.requests.some((one) => one.method === method && path.test(one.path));
  const expectExact = (account: string): void =>
    expect(compare(recorded.needs(), grantsOf(manifests, account))).toEqual({
      missing: [],
      superfluous: [],
    });

  test('operator', async () => {
    const defaults = join(folder, 'defaults');
    cpSync(join(K8S, 'base/webhook.yaml'), join(defaults, 'webhook.yaml'));
    cpSync(join(K8S, 'base/rules'), defaults, { recursive: true });
    // The manifests make it.
    const map = { collection: 'v1/configmaps', namespace: NAMESPACE, name: undefined };
    api.store.create(
      { ...map, subresource: undefined },
      { metadata: { name: 'kube-auditing-defaults' } },
    );
    await run(operatorService, {
      AUDITING_DEFAULTS_DIR: defaults,
      AUDITING_ADMISSION_LISTEN: '127.0.0.1:0',
    });
    // The same event again, and the Lease again: both are written, not made.
    const service = { collection: 'v1/services', namespace: NAMESPACE, subresource: undefined };
    const name = 'kube-auditing-webhook-svc';
    for (let i = 0; i < 2; i += 1) {
      await until(() =>
        Promise.resolve(api.store.list({ ...service, name: undefined }).length === 1),
      );
      api.store.delete({ ...service, name });
    }
    await until(() => Promise.resolve(called('PUT', /\/events\//) && called('PUT', /\/leases\//)));
    await until(() => Promise.resolve(called('PATCH', /poddisruptionbudgets/)));
    await until(() => Promise.resolve(called('PATCH', /validatingwebhookconfigurations/)));
    expectExact('kube-auditing-operator');
  });

  test('rule service', async () => {
    put('webhooks', shipped('webhook.yaml'));
    put('rules', shipped('rules/archiving-rule.yaml'), NAMESPACE);
    const { rule = '' } = await run(ruleService, { AUDITING_RULE_SOURCE: 'kubernetes' });
    const rules = grpcClient(RuleServiceService, rule, { credentials: INSECURE, token: 'ann' });
    await expect(rules.api.listRules({}, never)).rejects.toThrow(/list/);
    rules.close();
    await until(() =>
      Promise.resolve(
        called('PATCH', /rules\/.*status/) &&
          called('PATCH', /webhooks\/.*status/) &&
          called('PUT', /\/leases\//),
      ),
    );
    expectExact('kube-auditing-rule');
  });

  test('archive', async () => {
    const { archive = '' } = await run(archiveService);
    const client = grpcClient(ArchiveServiceService, archive, {
      credentials: INSECURE,
      token: 'ann',
    });
    for await (const _ of client.api.search(SearchRequest.fromPartial({ limit: 1 }), never)) break;
    client.close();
    expectExact('kube-auditing-archive');
  });

  test('alert', async () => {
    const { alert = '' } = await run(alertService, { AUDITING_RULE_ADDRESS: '127.0.0.1:9' });
    const client = grpcClient(AlertServiceService, alert, { credentials: INSECURE, token: 'ann' });
    await client.api.list(ListRequest.fromPartial({}), never);
    client.close();
    expectExact('kube-auditing-alert');
  });

  test('gateway', async () => {
    const { api: url = '' } = await run(gatewayService, {
      AUDITING_API_PORT: '0',
      AUDITING_WEBHOOK_PORT: '0',
      AUDITING_RULE_ADDRESS: '127.0.0.1:9',
      AUDITING_ARCHIVE_ADDRESS: '127.0.0.1:9',
      AUDITING_ALERT_ADDRESS: '127.0.0.1:9',
    });
    await fetch(new URL('/apis/query.auditing.kubesphere.io/v1alpha1/events', url), {
      headers: { authorization: 'Bearer ann' },
    });
    expectExact('kube-auditing-gateway');
  });
});
