import type { WebhookSpec } from '@auditing/kubernetes/crds/webhook-schema';
import type { OperatorConfig } from './config';

/** Where the gateway looks for the certificate that it shows, as the original did. */
const WEBHOOK_TLS_FOLDER = '/etc/kube/auditing';
const GRPC_TLS_FOLDER = '/etc/kube-auditing/tls';
const DATA_FOLDER = '/data';
const USER = 65_532;
/** Above the 25 s in which a stop must have finished, and the delay before it. */
const GRACE_SECONDS = 45;
/** As in the ConfigMap of gateway settings. */
const METRICS_PORT = 9_090;
const QUERY_PORT = 8_081;
const GRPC_PORT = 9_080;
const PROBE_PORT = 9_094;
/** Images of the webhook that this takes the place of. */
const ORIGINAL_IMAGE = /(^|\/)kube-auditing-webhook(:|@|$)/;

/** What a Webhook asks of its gateways, with what it leaves out filled in. */
export interface GatewayWishes {
  readonly name: string;
  readonly spec: WebhookSpec;
  readonly useTls: boolean;
  readonly port: number;
  readonly image: string;
}

/** Reads a spec; absent means what the documentation says. */
export function wishesOf(name: string, spec: WebhookSpec, config: OperatorConfig): GatewayWishes {
  const useTls = spec.useHTTPS ?? true;
  const image = spec.image ?? '';
  return {
    ...{ name, spec, useTls },
    port: spec.port || (useTls ? 6_443 : 8_080),
    image: image === '' || isOriginalImage(image) ? config.gatewayImage : image,
  };
}

/** Whether an image is one of the webhook that this takes the place of: it cannot run a gateway. */
export function isOriginalImage(image: string): boolean {
  return ORIGINAL_IMAGE.test(image);
}

/** What a pod is made with besides. */
export interface GatewayPodContext {
  readonly config: OperatorConfig;
  /** Where senders post to. */
  readonly senderUrl: string;
}

/** The pod of a gateway. */
export function gatewayPod(
  wishes: GatewayWishes,
  { config, senderUrl }: GatewayPodContext,
): object {
  const { name, spec } = wishes;
  const labels = { app: name };
  return {
    metadata: { labels: { ...labels, 'app.kubernetes.io/name': 'kube-auditing-gateway' } },
    spec: {
      serviceAccountName: config.gatewayServiceAccount,
      terminationGracePeriodSeconds: GRACE_SECONDS,
      enableServiceLinks: false,
      ...(config.gatewayPriorityClass !== undefined && {
        priorityClassName: config.gatewayPriorityClass,
      }),
      securityContext: {
        runAsNonRoot: true,
        ...{ runAsUser: USER, runAsGroup: USER, fsGroup: USER },
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      ...(spec.imagePullSecrets && { imagePullSecrets: spec.imagePullSecrets }),
      ...(spec.nodeSelector && { nodeSelector: spec.nodeSelector }),
      ...(spec.tolerations && { tolerations: spec.tolerations }),
      affinity: spec.affinity ?? apart(labels),
      containers: [container(wishes, { config, senderUrl })],
      volumes: volumes(wishes, config),
    },
  };
}

/** Gateways on different nodes, if that can be. */
function apart(labels: object): object {
  const podAffinityTerm = {
    labelSelector: { matchLabels: labels },
    topologyKey: 'kubernetes.io/hostname',
  };
  return {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm }],
    },
  };
}

function container(wishes: GatewayWishes, { config, senderUrl }: GatewayPodContext): object {
  const { spec, port, image, useTls } = wishes;
  const hasGrpcTls = config.gatewayTlsSecret !== undefined;
  return {
    name: 'gateway',
    image,
    ...(spec.imagePullPolicy !== undefined && { imagePullPolicy: spec.imagePullPolicy }),
    ...(spec.args && { args: spec.args }),
    ports: [
      { name: 'webhook', containerPort: port, protocol: 'TCP' },
      { name: 'query', containerPort: QUERY_PORT, protocol: 'TCP' },
      { name: 'metrics', containerPort: METRICS_PORT, protocol: 'TCP' },
      { name: 'probes', containerPort: PROBE_PORT, protocol: 'TCP' },
      ...(hasGrpcTls ? [{ name: 'grpc', containerPort: GRPC_PORT, protocol: 'TCP' }] : []),
    ],
    envFrom: [{ configMapRef: { name: config.gatewaySettings, optional: true } }],
    env: environment(wishes, { hasGrpcTls, senderUrl }),
    ...(spec.resources && { resources: spec.resources }),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    ...probes(config.gatewayProbes),
    volumeMounts: [
      { name: 'spool', mountPath: DATA_FOLDER },
      ...(useTls ? [{ name: 'webhook-tls', mountPath: WEBHOOK_TLS_FOLDER, readOnly: true }] : []),
      ...(hasGrpcTls ? [{ name: 'tls', mountPath: GRPC_TLS_FOLDER, readOnly: true }] : []),
    ],
  };
}

function environment(
  { port, useTls }: GatewayWishes,
  { hasGrpcTls, senderUrl }: { readonly hasGrpcTls: boolean; readonly senderUrl: string },
): object[] {
  const values: Readonly<Record<string, string>> = {
    AUDITING_DATA_DIR: DATA_FOLDER,
    AUDITING_WEBHOOK_PORT: String(port),
    AUDITING_WEBHOOK_TLS: useTls ? 'files' : 'off',
    ...(useTls && {
      AUDITING_WEBHOOK_TLS_CERT: `${WEBHOOK_TLS_FOLDER}/tls.crt`,
      AUDITING_WEBHOOK_TLS_KEY: `${WEBHOOK_TLS_FOLDER}/tls.key`,
      AUDITING_WEBHOOK_TLS_CA: `${WEBHOOK_TLS_FOLDER}/ca.crt`,
    }),
    AUDITING_WEBHOOK_URL: senderUrl,
    ...(hasGrpcTls && {
      AUDITING_GRPC_LISTEN: `0.0.0.0:${GRPC_PORT}`,
      AUDITING_GRPC_TLS_CERT: `${GRPC_TLS_FOLDER}/tls.crt`,
      AUDITING_GRPC_TLS_KEY: `${GRPC_TLS_FOLDER}/tls.key`,
      AUDITING_GRPC_TLS_CA: `${GRPC_TLS_FOLDER}/ca.crt`,
    }),
    AUDITING_PROBE_LISTEN: `0.0.0.0:${PROBE_PORT}`,
    AUDITING_ADMIN_LISTEN: '0.0.0.0',
    AUDITING_ADMIN_PORT: String(METRICS_PORT),
    AUDITING_API_PORT: String(QUERY_PORT),
  };
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}

function probes(by: OperatorConfig['gatewayProbes']): object {
  const [live, ready] =
    by === 'grpc'
      ? // A port without TLS: a kubelet has no client certificate.
        ['liveness', 'readiness'].map((service) => ({ grpc: { port: PROBE_PORT, service } }))
      : ['/livez', '/readyz'].map((path) => ({
          httpGet: { path, port: 'metrics', scheme: 'HTTP' },
        }));
  return {
    startupProbe: { ...live, periodSeconds: 2, failureThreshold: 150 },
    readinessProbe: { ...ready, periodSeconds: 5, timeoutSeconds: 3 },
    livenessProbe: { ...live, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  };
}

function volumes({ name, useTls }: GatewayWishes, config: OperatorConfig): object[] {
  const secret = `${name}-secret`;
  const items = ['tls.crt', 'tls.key'].map((key) => ({ key, path: key }));
  // One that somebody else made need not have it: senders then get a file without.
  const ca = { name: secret, optional: true, items: [{ key: 'caBundle', path: 'ca.crt' }] };
  return [
    ...(useTls
      ? [
          {
            name: 'webhook-tls',
            projected: {
              defaultMode: 0o440,
              sources: [{ secret: { name: secret, items } }, { secret: ca }],
            },
          },
        ]
      : []),
    ...(config.gatewayTlsSecret === undefined
      ? []
      : [{ name: 'tls', secret: { secretName: config.gatewayTlsSecret, defaultMode: 0o440 } }]),
  ];
}
