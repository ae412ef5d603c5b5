import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  KUBE_APISERVER,
  NEEDS_KUBE_APISERVER,
  pathOf,
  startKubeApiserver,
  type KubeApiserver,
} from '@auditing/kubernetes/testing/kube-apiserver';
import { until } from '@auditing/kubernetes/testing/until';
import { RuleServiceService } from '@auditing/proto/rule';
import { grpcClient } from '@auditing/service/grpc-client';
import { INSECURE } from '@auditing/service/grpc-tls';
import { parse, stringify } from 'yaml';
import { archivedEvents } from './archive-reader';
import { hasKustomize, kustomize } from './kustomize';
import { scratchFolder, startApp, type AppProcess } from './processes';
import { startServices, type Stack } from './stack';

jest.setTimeout(300_000);

const ROOT = join(__dirname, '..');
const NAMESPACE = 'kubesphere-logging-system';
const isThere = KUBE_APISERVER !== undefined && pathOf('kubectl') !== undefined && hasKustomize();
const describeReal = isThere ? describe : describe.skip;

/** What an API server of 1.20 does not know, and why it is in an overlay all the same. */
const NOT_IN_1_20 = [
  // cert-manager and the Prometheus operator bring these kinds; a bare API server has neither.
  /no matches for kind "(Certificate|Issuer)" in version "cert-manager\.io\/v1"/,
  // Since 1.21 and 1.23; the component before-1-24 has the versions before.
  /no matches for kind "PodDisruptionBudget" in version "policy\/v1"/,
  /no matches for kind "HorizontalPodAutoscaler" in version "autoscaling\/v2"/,
  // Probes by gRPC are known since 1.24, so this is a probe of no kind; before-1-24 asks by HTTP.
  /Probe: Required value: must specify a handler type/,
];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

interface Definition {
  readonly spec: { scope: string; versions: object[] };
}
interface KubectlOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}
interface Said {
  readonly out: string;
  readonly err: string;
  readonly isDone: boolean;
}

/** Never rejects: what kubectl said is looked at. */
function runKubectl(
  kubeconfig: string,
  args: readonly string[],
  { input = '', env = {} }: KubectlOptions,
): Promise<Said> {
  return new Promise((resolve) => {
    const child = execFile(
      'kubectl',
      ['--kubeconfig', kubeconfig, ...args],
      { env: { ...process.env, ...env }, maxBuffer: 2 ** 26 },
      (error, out, err) => resolve({ out, err, isDone: error === null }),
    );
    child.stdin?.end(input);
  });
}

describeReal(`a real API server (${NEEDS_KUBE_APISERVER}, kubectl)`, () => {
  const scratch = scratchFolder();
  let api: KubeApiserver;
  let stack: Stack | undefined;

  const kubectl = (args: readonly string[], options: KubectlOptions = {}): Promise<Said> =>
    runKubectl(api.kubeconfig, args, options);
  const done = async (args: readonly string[], input = ''): Promise<string> => {
    const { out, err, isDone } = await kubectl(args, { input });
    expect([args.join(' '), err, isDone]).toEqual([args.join(' '), expect.anything(), true]);
    return out;
  };

  beforeAll(async () => {
    const port = await freePort();
    const auditWebhook = join(scratch.path, 'audit-webhook.yaml');
    writeFileSync(
      auditWebhook,
      stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [
          {
            name: 'gateway',
            cluster: {
              server: `https://127.0.0.1:${port}/audit/webhook/event`,
              'insecure-skip-tls-verify': true,
            },
          },
        ],
        contexts: [{ name: 'gateway', context: { cluster: 'gateway', user: '' } }],
        'current-context': 'gateway',
      }),
    );
    api = await startKubeApiserver({ auditWebhook });
    await done(['create', 'namespace', NAMESPACE]);
    await done(['apply', '-k', join(ROOT, 'k8s/crds')]);
    await done(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    await done(['apply', '-n', NAMESPACE, '-f', join(ROOT, 'k8s/base/rules')]);
    await done(['apply', '-f', join(ROOT, 'config/webhook.yaml')]);
    mkdirSync(join(scratch.path, 'data'));
    stack = await startServices(scratch.path, {
      AUDITING_RULE_SOURCE: 'kubernetes',
      AUDITING_KUBECONFIG: api.kubeconfig,
      AUDITING_WEBHOOK_PORT: String(port),
    });
  });

  afterAll(async () => {
    await stack?.stop();
    await api.stop();
    scratch.remove();
  });

  const running = (): Stack => {
    if (!stack) throw new Error('no services run');
    return stack;
  };
  const eventsOf = async (text: string): Promise<string[]> => {
    const found = await archivedEvents(running().address('archive'), text);
    return [...found.values()].flat().map((bytes) => bytes.toString('utf8'));
  };
  const hasEvent = async (name: string, verb: string): Promise<boolean> =>
    (await eventsOf(name)).some((text) => {
      const event = JSON.parse(text) as { verb: string; objectRef?: { name?: string } };
      return event.verb === verb && event.objectRef?.name === name;
    });

  test('whatever kubectl changes is found in the archive', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `audited-${i}`);
    for (const name of names) {
      await done(['create', 'configmap', name, `--from-literal=a=${name}`]);
      await done(['delete', 'configmap', name]);
    }
    for (const name of names)
      await until(
        async () => (await hasEvent(name, 'create')) && (await hasEvent(name, 'delete')),
        60_000,
      );
  });

  test('a rule that kubectl edits acts, a bad edit does not take it down', async () => {
    const rule = (condition: string): string =>
      stringify({
        apiVersion: 'auditing.kubesphere.io/v1alpha1',
        kind: 'Rule',
        metadata: { name: 'edited', namespace: NAMESPACE, labels: { type: 'alerting' } },
        spec: {
          rules: [
            ...[{ name: 'Marked', type: 'rule', condition, enable: true, priority: 'WARNING' }],
          ],
        },
      });
    await done(['apply', '-f', '-'], rule('ObjectRef.Name = "marked-before"'));
    const ready = (): Promise<string> =>
      done([
        'get',
        'ar',
        '-n',
        NAMESPACE,
        'edited',
        '-o',
        'jsonpath={.status.conditions[0].reason}',
      ]);
    await until(async () => (await ready()) === 'InForce', 60_000);
    const editor = { KUBE_EDITOR: 'sed -i s/marked-before/marked-after/' };
    const edited = await kubectl(['edit', 'ar', '-n', NAMESPACE, 'edited'], { env: editor });
    expect(edited.isDone).toBe(true);
    const isAlerted = async (name: string): Promise<boolean> => {
      const path = '/apis/query.auditing.kubesphere.io/v1alpha1/alerts?limit=100';
      const answer = await fetch(new URL(path, running().address('api')));
      return (await answer.text()).includes(name);
    };
    // Until the edit is in force, work goes on.
    await until(async () => {
      await kubectl(['create', 'configmap', 'marked-after']);
      await kubectl(['delete', 'configmap', 'marked-after']);
      return isAlerted('edited.Marked');
    }, 120_000);
    expect(await isAlerted('marked-before')).toBe(false);

    await done(['apply', '-f', '-'], rule('ObjectRef.Name = '));
    await until(async () => (await ready()) === 'EditHeldBack', 60_000);
    const shown = await done(['get', 'ar', '-n', NAMESPACE, 'edited', '-o', 'wide']);
    expect(shown).toContain('stays in force');
  });

  test('the example of the manual applies, and its status names the fix', async () => {
    const file = join(ROOT, 'tests/testdata/seed-webhook.yaml');
    const seed = parse(readFileSync(file, 'utf8')) as { metadata: { name: string } };
    expect(seed.metadata.name).toBe('kube-auditing-webhook');
    await done(['apply', '-f', file]);
    await until(async () => {
      const text = await done(['get', 'awh', 'kube-auditing-webhook', '-o', 'yaml']);
      return /write matchLabels \{type: archiving\}/.test(text);
    }, 60_000);
  });

  test.each([
    ['webhook.spec', /auditLevel <string>: .*receivers\[\]\.config\.url <string>: /],
    ['rule.spec', /rules\[\]\.condition <string>: /],
  ])('kubectl explain %s names the fields', async (path, expected) => {
    expect((await done(['explain', path])).replace(/\s+/g, ' ')).toMatch(expected);
  });

  test.each(['minimal', 'minimal-before-1-24', 'ha', 'kind'])(
    'every manifest of overlay %s is one that the API server takes',
    async (overlay) => {
      const manifests = kustomize(`overlays/${overlay}`).filter(({ kind }) => kind !== 'Namespace');
      const input = manifests.map((one) => stringify(one)).join('---\n');
      const args = ['apply', '--dry-run=server', '--validate=false', '-f', '-'];
      const { out, err } = await kubectl(args, { input });
      const taken = out.split('\n').filter((line) => line.includes('server dry run')).length;
      const refused = err
        .split(/\n(?=error: |Error from server|The |unable to|resource mapping)/)
        .filter((text) => text.trim() !== '' && !text.startsWith('Warning:'));
      const others = refused.filter((text) => !NOT_IN_1_20.some((known) => known.test(text)));
      expect(others).toEqual([]);
      // Of kinds that there are not, kubectl says nothing more than that, once for several objects.
      const missing = [...err.matchAll(/no matches for kind "(\w+)"/g)].map(([, kind]) => kind);
      const unknown = manifests.filter(({ kind }) => missing.includes(kind)).length;
      const invalid = refused.filter((text) => text.includes('must specify a handler type')).length;
      expect(taken + unknown + invalid).toBe(manifests.length);
      expect(taken).toBeGreaterThan(20);
      if (overlay === 'minimal-before-1-24') {
        expect(refused).toEqual([]);
        expect(taken).toBe(manifests.length);
      }
    },
  );
});

describeReal(
  `the cluster-scoped definition of the first generation (${NEEDS_KUBE_APISERVER}, kubectl)`,
  () => {
    test('its Rules are in force, and edits of them act', async () => {
      const scratch = scratchFolder();
      const api = await startKubeApiserver();
      const apply = async (object: object): Promise<void> => {
        const said = await runKubectl(api.kubeconfig, ['apply', '-f', '-'], {
          input: stringify(object),
        });
        expect(said).toMatchObject({ isDone: true });
      };
      const rule = (condition: string): object => ({
        apiVersion: 'auditing.kubesphere.io/v1alpha1',
        kind: 'Rule',
        metadata: { name: 'old', labels: { type: 'archiving' } },
        spec: {
          rules: [{ name: 'one', type: 'rule', condition, enable: true, priority: 'DEBUG' }],
        },
      });
      let app: AppProcess | undefined;
      try {
        for (const plural of ['webhooks', 'rules']) {
          const definition = parse(
            readFileSync(join(ROOT, `k8s/crds/${plural}.yaml`), 'utf8'),
          ) as Definition;
          const { spec } = definition;
          spec.scope = 'Cluster';
          if (plural === 'rules')
            // It knew no fields and no status.
            spec.versions = [
              {
                ...{ name: 'v1alpha1', served: true, storage: true },
                schema: {
                  openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                },
              },
            ];
          await apply(definition);
        }
        const established = [
          'wait',
          '--for=condition=Established',
          'crd',
          '--all',
          '--timeout=60s',
        ];
        expect(await runKubectl(api.kubeconfig, established, {})).toMatchObject({ isDone: true });
        await apply(parse(readFileSync(join(ROOT, 'config/webhook.yaml'), 'utf8')) as object);
        await apply(rule('Verb = "get"'));
        app = await startApp('rule', {
          AUDITING_DATA_DIR: scratch.path,
          AUDITING_RULE_SOURCE: 'kubernetes',
          AUDITING_KUBECONFIG: api.kubeconfig,
        });
        const { api: rules, close } = grpcClient(RuleServiceService, app.addresses['rule'] ?? '', {
          credentials: INSECURE,
        });
        const hasCondition = async (condition: string): Promise<boolean> => {
          const { rules: all } = await rules.listRules({}, new AbortController().signal);
          return all.some((one) => one.name === 'old.one' && one.condition === condition);
        };
        await until(() => hasCondition('Verb = "get"'), 60_000);
        await apply(rule('Verb = "list"'));
        await until(() => hasCondition('Verb = "list"'), 60_000);
        close();
      } finally {
        await app?.stop();
        await api.stop();
        scratch.remove();
      }
    });
  },
);
