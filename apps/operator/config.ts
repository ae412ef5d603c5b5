import {
  choice,
  duration,
  listenAddress,
  optional,
  path,
  text,
} from '@auditing/service/setting-parsers';
import type { ConfigOf } from '@auditing/service/settings';

/** Every setting of the operator. */
export const SETTINGS = {
  kubeconfig: {
    variable: 'AUDITING_KUBECONFIG',
    parser: optional(path),
    fallback: '',
    description:
      'Kubeconfig of the Kubernetes API server. Empty: that of the cluster this runs in, by its service account.',
  },
  webhookName: {
    variable: 'AUDITING_WEBHOOK_NAME',
    parser: text,
    fallback: 'kube-auditing-webhook',
    description: 'Name of the Webhook resource that rules follow; gateways are made of every one.',
  },
  gatewayImage: {
    variable: 'AUDITING_GATEWAY_IMAGE',
    parser: text,
    fallback: 'kube-auditing-gateway:latest',
    description:
      'Image of gateways whose Webhook resource names none, or one of the original webhook.',
  },
  gatewaySettings: {
    variable: 'AUDITING_GATEWAY_SETTINGS',
    parser: text,
    fallback: 'kube-auditing-gateway',
    description:
      'ConfigMap in the namespace of the operator with the environment of gateways: addresses and such.',
  },
  gatewayServiceAccount: {
    variable: 'AUDITING_GATEWAY_SERVICE_ACCOUNT',
    parser: text,
    fallback: 'kube-auditing-gateway',
    description: 'Service account of gateways.',
  },
  gatewayTlsSecret: {
    variable: 'AUDITING_GATEWAY_TLS_SECRET',
    parser: optional(text),
    fallback: 'kube-auditing-gateway-tls',
    description:
      'Secret with `tls.crt`, `tls.key` and `ca.crt` that gateways call the other services with (mutual TLS).',
  },
  grpcCertificates: {
    variable: 'AUDITING_GRPC_CERTIFICATES',
    parser: choice('operator', 'external'),
    fallback: 'operator',
    description:
      'Who makes the Secrets `kube-auditing-{gateway,rule,archive,alert}-tls` for calls between the services: the operator, or somebody else, such as cert-manager.',
  },
  gatewayPriorityClass: {
    variable: 'AUDITING_GATEWAY_PRIORITY_CLASS',
    parser: optional(text),
    fallback: '',
    description: 'Priority class of gateways. Empty: none.',
  },
  gatewayProbes: {
    variable: 'AUDITING_GATEWAY_PROBES',
    parser: choice('grpc', 'http'),
    fallback: 'grpc',
    description:
      'How the kubelet asks gateways whether they live and are ready. `http` for clusters older than Kubernetes 1.24.',
  },
  spoolSize: {
    variable: 'AUDITING_SPOOL_SIZE',
    parser: text,
    fallback: '20Gi',
    description: 'Size of the volume of each gateway where its Webhook resource names none.',
  },
  spoolStorageClass: {
    variable: 'AUDITING_SPOOL_STORAGE_CLASS',
    parser: optional(text),
    fallback: '',
    description: 'Storage class of these volumes. Empty: the default of the cluster.',
  },
  admissionListen: {
    variable: 'AUDITING_ADMISSION_LISTEN',
    parser: listenAddress,
    fallback: '0.0.0.0:9443',
    description: 'Where the admission webhook is served, by TLS.',
  },
  admissionService: {
    variable: 'AUDITING_ADMISSION_SERVICE',
    parser: text,
    fallback: 'kube-auditing-operator',
    description: 'Service by which the API server reaches the admission webhook, on port 443.',
  },
  admissionUrl: {
    variable: 'AUDITING_ADMISSION_URL',
    parser: optional(text),
    fallback: '',
    description:
      'URL of the admission webhook instead of the Service, for an operator outside of the cluster.',
  },
  resyncMs: {
    variable: 'AUDITING_OPERATOR_RESYNC',
    parser: duration,
    fallback: '10m',
    description: 'How often everything is looked at even if nothing changed; certificates too.',
  },
  defaultsDir: {
    variable: 'AUDITING_DEFAULTS_DIR',
    parser: optional(path),
    fallback: '',
    description:
      'Folder with Webhook and Rule resources that are created, once in the life of an installation, where the cluster has no Webhook yet. Empty: none.',
  },
} as const;

/** The configuration of the operator. */
export type OperatorConfig = ConfigOf<typeof SETTINGS>;
