import type { KubeManifest } from './kustomize';

/** A container, as far as tests look at it. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env?: readonly EnvVariable[];
  readonly envFrom?: readonly { readonly configMapRef?: { readonly name: string } }[];
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  };
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Probe {
  readonly grpc?: { readonly port: number; readonly service: string };
  readonly httpGet?: { readonly path: string; readonly port: string };
}

interface EnvVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } };
}

interface PodSpec {
  readonly serviceAccountName?: string;
  readonly priorityClassName?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean;
    readonly runAsUser?: number;
    readonly seccompProfile?: { readonly type: string };
  };
  readonly containers: readonly Container[];
  readonly volumes?: readonly {
    readonly name: string;
    readonly secret?: { readonly secretName: string; readonly optional?: boolean };
    readonly configMap?: { readonly name: string };
    readonly emptyDir?: object;
  }[];
}

/** What the pods of a workload are. */
export interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: PodSpec;
}

/** A workload with its pods. */
export interface Workload extends KubeManifest {
  readonly spec: {
    readonly replicas?: number;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly serviceName?: string;
    readonly template: PodTemplate;
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
}

/** What picks pods. */
export interface PodSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly values: readonly string[];
  }[];
}

interface Peer {
  readonly podSelector?: PodSelector;
}

/** A policy of the network, as far as tests look at it. */
export interface NetworkPolicy extends KubeManifest {
  readonly spec: {
    readonly podSelector: PodSelector;
    readonly ingress?: readonly {
      readonly from?: readonly Peer[];
      readonly ports?: readonly { readonly port: string | number }[];
    }[];
    readonly egress?: readonly { readonly to?: readonly Peer[] }[];
  };
}

/** The Deployments and StatefulSets among manifests. */
export function workloadsOf(manifests: readonly KubeManifest[]): readonly Workload[] {
  return manifests.filter(({ kind }) => ['Deployment', 'StatefulSet'].includes(kind)) as Workload[];
}

/** Whether labels fit a selector that has nothing but matchLabels. */
export function fits(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

/** Names and numbers of the ports of pods. */
export function portsOf(pods: readonly PodTemplate[]): readonly (string | number)[] {
  return pods.flatMap(({ spec }) =>
    spec.containers.flatMap(({ ports = [] }) =>
      ports.flatMap(({ name, containerPort }) => [name, containerPort]),
    ),
  );
}
