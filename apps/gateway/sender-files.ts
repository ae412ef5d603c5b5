/** What the files are filled in with. */
export interface SenderSettings {
  /** Where senders post to, as they reach it. */
  readonly url: string;
  /** PEM of the CA that they must trust; undefined where the gateway does not know it. */
  readonly caCert: string | undefined;
  /** What kube-apiserver records of requests that change something. */
  readonly level: 'Metadata' | 'Request' | 'RequestResponse';
}

/** One file, or a part of one, that a sender needs. */
export interface SenderFile {
  /** Where it goes on the machine of the sender, or which object it is a part of. */
  readonly path: string;
  /** What it is for, and what to do with it. */
  readonly purpose: string;
  readonly text: string;
}

/** By their names. */
export const SENDER_LEVELS: ReadonlyMap<string, SenderSettings['level']> = new Map(
  (['Metadata', 'Request', 'RequestResponse'] as const).map((level) => [level, level]),
);

/** Whether kube-apiserver can post to it: it drops a query. */
export function isSenderUrl(address: string): boolean {
  return /^https?:\/\/[^\s"?#]+$/.test(address);
}

/** The folder that the static pod of kube-apiserver mounts. */
const FOLDER = '/etc/kubernetes/audit';

/** Everything that makes kube-apiserver and Kube AI Hub send their events here. */
export function senderFiles(settings: SenderSettings): readonly SenderFile[] {
  return [
    {
      path: `${FOLDER}/policy.yaml`,
      purpose: 'What kube-apiserver records. On every node with an API server.',
      text: policy(settings.level),
    },
    {
      path: `${FOLDER}/webhook.yaml`,
      purpose: 'Where kube-apiserver sends it. On every node with an API server.',
      text: kubeconfig(settings),
    },
    {
      path: '/etc/kubernetes/manifests/kube-apiserver.yaml',
      purpose:
        'Parts to add to the static pod; the kubelet starts it again by itself. Keep a copy outside of that folder.',
      text: STATIC_POD,
    },
    {
      path: 'ConfigMap kubesphere-system/kubesphere-config, key kubesphere.yaml',
      purpose:
        'Part to add for Kube AI Hub and KubeSphere 3.1 to 3.4; then: kubectl -n kubesphere-system rollout restart deployment ks-apiserver',
      text: `auditing:\n  enable: true\n  webhookUrl: ${JSON.stringify(settings.url)}\n`,
    },
    {
      path: 'Webhook kube-auditing-webhook',
      purpose:
        'kubectl patch webhooks.auditing.kubesphere.io kube-auditing-webhook --type merge --patch-file FILE. Events of Kubernetes are kept only with k8sAuditingEnabled.',
      text: `spec:\n  auditLevel: ${settings.level}\n  k8sAuditingEnabled: true\n`,
    },
  ];
}

/** A patch whose body is no JSON makes kube-apiserver lose the whole batch at levels above Metadata. */
const PATCHES = `  # At a higher level a patch that is no JSON would take its whole batch with it.
  - level: Metadata
    verbs: [patch]
`;

function policy(level: SenderSettings['level']): string {
  return `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  # Leases are renewed every few seconds by everything.
  - level: None
    resources:
      - { group: coordination.k8s.io, resources: [leases] }
  # Secrets and tokens never with their bodies.
  - level: Metadata
    resources:
      - { group: '', resources: [secrets, configmaps, serviceaccounts/token] }
      - { group: authentication.k8s.io, resources: [tokenreviews] }
  - level: Metadata
    verbs: [get, list, watch]
${level === 'Metadata' ? '' : PATCHES}  - level: ${level}
`;
}

function kubeconfig({ url, caCert }: SenderSettings): string {
  const trust =
    caCert === undefined
      ? `certificate-authority: ${FOLDER}/ca.crt`
      : `certificate-authority-data: ${Buffer.from(caCert).toString('base64')}`;
  return `apiVersion: v1
kind: Config
clusters:
  - name: auditing
    cluster:
      server: ${JSON.stringify(url)}
      ${trust}
contexts:
  - name: auditing
    context: { cluster: auditing, user: '' }
current-context: auditing
`;
}

/** Batches that are gone with one crash of the API server: at most what five seconds bring. */
const STATIC_POD = `spec:
  containers:
    - command:
        - kube-apiserver
        - --audit-policy-file=${FOLDER}/policy.yaml
        - --audit-webhook-config-file=${FOLDER}/webhook.yaml
        - --audit-webhook-mode=batch
        - --audit-webhook-batch-max-size=400
        - --audit-webhook-batch-max-wait=5s
      volumeMounts:
        - name: audit
          mountPath: ${FOLDER}
          readOnly: true
  volumes:
    - name: audit
      hostPath:
        path: ${FOLDER}
        type: Directory
`;
