import { SETTINGS as ALERT } from '@auditing/alert/config';
import { SETTINGS as ARCHIVE } from '@auditing/archive/config';
import { PROCESS_SETTINGS as GATEWAY } from '@auditing/gateway/config';
import { SETTINGS as OPERATOR } from '@auditing/operator/config';
import { grpcIdentities } from '@auditing/operator/grpc-certificates';
import { SETTINGS as RULE } from '@auditing/rule/config';
import { readSettings, flatSettings } from '@auditing/service/settings';
import { runtimeSettings } from '@auditing/service/start';
import { GATEWAYS } from './gateway-pods';
import { faultsOf } from './known-keys';
import { hasKustomize, kustomize, type KubeManifest } from './kustomize';
import {
  fits,
  portsOf,
  workloadsOf,
  type Container,
  type NetworkPolicy,
  type PodSelector,
  type PodTemplate,
  type Workload,
} from './workloads';

const NAMESPACE = 'kubesphere-logging-system';
/** Secrets that whoever installs `ha` makes. */
const MADE_BY_HAND = ['kube-auditing-redis', 'kube-auditing-opensearch'];
const SETTINGS: Readonly<Record<string, object>> = {
  gateway: GATEWAY,
  rule: RULE,
  archive: ARCHIVE,
  alert: ALERT,
  operator: OPERATOR,
};
/** Longer than the deadline of a stop (libs/service/run.ts), or a stop is cut off. */
const GRACE_MIN_SECONDS = 30;

const title = 'needs kustomize: go install sigs.k8s.io/kustomize/kustomize/v5@v5.4.3';
const describeOverlays = hasKustomize() ? describe : describe.skip;

describeOverlays.each(['minimal', 'minimal-before-1-24', 'ha', 'kind'])(
  `overlay %s (${title})`,
  (overlay) => {
    let all: readonly KubeManifest[] = [];
    let workloads: readonly Workload[] = [];
    beforeAll(() => {
      all = kustomize(`overlays/${overlay}`);
      workloads = workloadsOf(all);
    });

    const named = (kind: string): readonly string[] =>
      all.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);
    const containers = (): readonly Container[] =>
      workloads.flatMap(({ spec }) => spec.template.spec.containers);

    /** Secrets of the services: by cert-manager, or else by the operator. */
    const madeSecrets = (): readonly string[] => {
      const certificates = all.filter(({ kind }) => kind === 'Certificate');
      const [operator] = containers().filter(({ name }) => name === 'operator');
      const isExternal = operator?.env?.some(
        ({ name, value }) => name === 'AUDITING_GRPC_CERTIFICATES' && value === 'external',
      );
      expect(isExternal ?? false).toBe(certificates.length > 0);
      return isExternal
        ? certificates.map((one) => (one['spec'] as { secretName: string }).secretName)
        : [...grpcIdentities(NAMESPACE).keys()];
    };

    test('holds nothing that Kubernetes does not know', async () => {
      const faults = await Promise.all(
        all.map(async (one) => {
          const found = await faultsOf(one);
          return found.map((fault) => `${one.kind}/${one.metadata.name}: ${fault}`);
        }),
      );
      expect(faults.flat()).toEqual([]);
    });

    test('has each object once, all but the Role of events in one namespace', () => {
      const names = all.map(({ apiVersion, kind, metadata }) =>
        [apiVersion, kind, metadata.namespace, metadata.name].join('/'),
      );
      expect(new Set(names).size).toBe(names.length);
      const elsewhere = all.filter(
        ({ metadata }) => metadata.namespace !== undefined && metadata.namespace !== NAMESPACE,
      );
      // Where Kubernetes keeps events about objects of the cluster.
      expect(elsewhere.map(({ kind, metadata }) => `${kind} ${metadata.namespace}`)).toEqual([
        'Role default',
        'RoleBinding default',
      ]);
    });

    test('has the workloads that it should', () => {
      const expected = [
        'operator',
        'rule',
        'archive',
        'alert',
        ...(overlay === 'ha' ? ['redis'] : []),
      ];
      expect(workloads.map(({ metadata }) => metadata.name).sort()).toEqual(
        expected.map((name) => `kube-auditing-${name}`).sort(),
      );
    });

    test('refers only to what is there', () => {
      for (const { spec, metadata } of workloads) {
        const pod = spec.template.spec;
        expect(fits(spec.selector.matchLabels, spec.template.metadata.labels)).toBe(true);
        expect(named('ServiceAccount')).toContain(pod.serviceAccountName);
        expect(named('PriorityClass')).toContain(pod.priorityClassName);
        if (spec.serviceName !== undefined) expect(named('Service')).toContain(spec.serviceName);
        const volumes = [
          ...(pod.volumes ?? []).map(({ name }) => name),
          ...(spec.volumeClaimTemplates ?? []).map((claim) => claim.metadata.name),
        ];
        for (const container of pod.containers)
          for (const { name } of container.volumeMounts ?? []) expect(volumes).toContain(name);
        const maps = (pod.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? []);
        for (const name of maps) expect(named('ConfigMap')).toContain(name);
        const secrets = [
          ...(pod.volumes ?? []).flatMap(({ secret }) =>
            secret === undefined || secret.optional === true ? [] : secret.secretName,
          ),
          ...pod.containers.flatMap(({ env = [] }) =>
            env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef?.name ?? []),
          ),
        ];
        const known = [...madeSecrets(), ...(overlay === 'ha' ? MADE_BY_HAND : [])];
        expect([metadata.name, secrets.filter((name) => !known.includes(name))]).toEqual([
          metadata.name,
          [],
        ]);
      }
    });

    test('every Service finds pods, and ports that they have', () => {
      for (const service of all.filter(({ kind }) => kind === 'Service')) {
        const { selector, ports } = service['spec'] as {
          selector: Record<string, string>;
          ports: { targetPort: string | number }[];
        };
        const pods = [...GATEWAYS, ...workloads.map(({ spec }) => spec.template)];
        const known = portsOf(pods.filter(({ metadata }) => fits(selector, metadata.labels)));
        for (const { targetPort } of ports)
          expect([service.metadata.name, known]).toEqual([
            service.metadata.name,
            expect.arrayContaining([targetPort]),
          ]);
      }
    });

    test('every policy of the network picks pods, and peers and ports that are there', () => {
      const pods = [...GATEWAYS, ...workloads.map(({ spec }) => spec.template)];
      const pickedBy = (selector: PodSelector): readonly PodTemplate[] => {
        const picked = pods.filter(
          ({ metadata: { labels } }) =>
            fits(selector.matchLabels ?? {}, labels) &&
            (selector.matchExpressions ?? []).every(({ key, values }) =>
              values.includes(labels[key] ?? ''),
            ),
        );
        expect(picked).not.toEqual([]);
        // What holds for gateways holds for those of any Webhook.
        expect([0, GATEWAYS.length]).toContain(
          GATEWAYS.filter((one) => picked.includes(one)).length,
        );
        return picked;
      };
      const policies = all.filter(
        ({ kind }) => kind === 'NetworkPolicy',
      ) as unknown as NetworkPolicy[];
      for (const { metadata, spec } of policies) {
        const known = portsOf(pickedBy(spec.podSelector));
        const ports = (spec.ingress ?? []).flatMap((one) => one.ports ?? []);
        expect([metadata.name, ports.filter(({ port }) => !known.includes(port))]).toEqual([
          metadata.name,
          [],
        ]);
        const peers = [
          ...(spec.ingress ?? []).flatMap(({ from }) => from ?? []),
          ...(spec.egress ?? []).flatMap(({ to }) => to ?? []),
        ];
        for (const { podSelector } of peers) if (podSelector) pickedBy(podSelector);
      }
      // Denied both ways, and let out to ask for names: all of them.
      for (const name of ['kube-auditing-deny', 'kube-auditing-dns']) {
        const policy = policies.find(({ metadata }) => metadata.name === name);
        expect(policy && pickedBy(policy.spec.podSelector)).toEqual(pods);
      }
      // Senders reach the port that the Webhook says, whichever it is, and no other way in is theirs.
      const senders = policies
        .flatMap(({ spec }) => spec.ingress ?? [])
        .filter(({ from, ports = [] }) => !from && ports.some(({ port }) => port === 'webhook'));
      expect(senders.map(({ ports }) => ports)).toEqual([[{ protocol: 'TCP', port: 'webhook' }]]);
    });

    test('pods keep to restricted Pod Security, and have no writable root', () => {
      for (const { spec } of workloads) {
        const { hostNetwork, hostPID, hostIPC, securityContext } = spec.template.spec;
        expect([hostNetwork, hostPID, hostIPC]).toEqual([undefined, undefined, undefined]);
        expect(securityContext).toMatchObject({
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        });
        expect(securityContext?.runAsUser).toBeGreaterThan(0);
        for (const container of spec.template.spec.containers) {
          expect(container.securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          });
        }
      }
    });

    test('containers have probes, requests and a limit of memory, and time to stop', () => {
      for (const { spec } of workloads)
        for (const container of spec.template.spec.containers) {
          expect(container.resources?.requests).toMatchObject({
            cpu: expect.any(String) as string,
            memory: expect.any(String) as string,
          });
          expect(container.resources?.limits?.['memory']).toBeDefined();
          if (container.name === 'redis') continue;
          const isOld = overlay.endsWith('before-1-24');
          expect(container.readinessProbe).toMatchObject(
            isOld
              ? { httpGet: { path: '/readyz', port: 'metrics' } }
              : { grpc: { port: 9094, service: 'readiness' } },
          );
          expect(container.livenessProbe).toMatchObject(
            isOld
              ? { httpGet: { path: '/livez', port: 'metrics' } }
              : { grpc: { port: 9094, service: 'liveness' } },
          );
          expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(
            GRACE_MIN_SECONDS,
          );
        }
    });

    test('gateways are probed as the others are', () => {
      const { env = [] } = containers().find(({ name }) => name === 'operator') ?? {};
      const { value = 'grpc' } = env.find(({ name }) => name === 'AUDITING_GATEWAY_PROBES') ?? {};
      expect(value).toBe(overlay.endsWith('before-1-24') ? 'http' : 'grpc');
    });

    test('images have a fixed tag', () => {
      for (const { image } of containers()) expect(image).toMatch(/:(?!latest$)[\w.-]+$/);
    });

    test('settings are settings of their app, with values that it takes', () => {
      const environments = new Map<string, Record<string, string>>(
        containers()
          .filter(({ name }) => name in SETTINGS)
          .map(({ name, env = [] }) => [
            name,
            Object.fromEntries(env.map((one) => [one.name, one.value ?? 'a secret'])),
          ]),
      );
      const map = all.find(
        ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'kube-auditing-gateway',
      );
      environments.set('gateway', map?.['data'] as Record<string, string>);
      expect([...environments.keys()].sort()).toEqual(Object.keys(SETTINGS).sort());
      for (const [app, env] of environments) {
        const settings = { app: SETTINGS[app] ?? {}, runtime: runtimeSettings(9090) };
        const known = flatSettings(settings).map(({ variable }) => variable);
        const ours = Object.keys(env).filter((name) => name.startsWith('AUDITING_'));
        expect([app, ours.filter((name) => !known.includes(name))]).toEqual([app, []]);
        // `$(NAME)` is filled in by the kubelet; a URL stays one.
        expect(() => readSettings(settings as never, env)).not.toThrow();
      }
    });

    test('needs nothing of others but ha, which says so', () => {
      const foreign = all
        .map(({ apiVersion }) => apiVersion)
        .filter((version) => /^(cert-manager\.io|monitoring\.coreos\.com)\//.test(version));
      expect(foreign.length > 0).toBe(overlay === 'ha');
    });

    test('whatever has replicas loses one at a time, and nothing stands in the way of a drain', () => {
      const budgets = all
        .filter(({ kind }) => kind === 'PodDisruptionBudget')
        .map((one) => one['spec'] as { maxUnavailable: number; selector: PodSelector });
      const covered = workloads
        .filter(({ spec }) =>
          budgets.some(({ selector }) =>
            fits(selector.matchLabels ?? {}, spec.template.metadata.labels),
          ),
        )
        .map(({ metadata }) => metadata.name)
        .sort();
      // One replica on one volume is away while it moves; the spools of the gateways hold what it has not taken.
      expect(covered).toEqual([
        ...(overlay === 'ha' ? ['kube-auditing-archive', 'kube-auditing-operator'] : []),
        'kube-auditing-rule',
      ]);
      for (const { maxUnavailable } of budgets) expect(maxUnavailable).toBe(1);
      const operator = workloads.find(({ metadata }) => metadata.name === 'kube-auditing-operator');
      expect(operator?.spec.replicas).toBe(overlay === 'ha' ? 2 : 1);
    });

    test('only the rule service is scaled by load', () => {
      const scaled = all
        .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
        .map((one) => (one['spec'] as { scaleTargetRef: { name: string } }).scaleTargetRef.name);
      expect(scaled).toEqual(overlay === 'ha' ? ['kube-auditing-rule'] : []);
    });

    test('roles are bound to accounts that are there, and grant no wildcard', () => {
      for (const { spec: _, ...binding } of all.filter(({ kind }) =>
        kind.endsWith('RoleBinding'),
      )) {
        const { roleRef, subjects } = binding as unknown as {
          roleRef: { kind: string; name: string };
          subjects: { name: string }[];
        };
        expect(named(roleRef.kind)).toContain(roleRef.name);
        for (const { name } of subjects) expect(named('ServiceAccount')).toContain(name);
      }
      for (const role of all.filter(({ kind }) => /^(Cluster)?Role$/.test(kind)))
        expect(JSON.stringify(role)).not.toContain('"*"');
    });
  },
);
