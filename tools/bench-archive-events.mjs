// Events for the benchmark of the archive: Metadata level, about 1.2 KB, with the distributions of a busy cluster: few
// users and verbs make most of the events, names and ids are many. The same number gives the same events.

const VERBS = weighted({
  get: 38,
  watch: 12,
  list: 14,
  update: 18,
  patch: 9,
  create: 6,
  delete: 3,
});
const RESOURCES = weighted({
  leases: 26,
  pods: 24,
  configmaps: 9,
  events: 9,
  nodes: 6,
  endpoints: 5,
  secrets: 5,
  deployments: 4,
  replicasets: 4,
  services: 3,
  serviceaccounts: 2,
  jobs: 2,
  roles: 1,
});
const API_GROUPS = {
  leases: 'coordination.k8s.io',
  deployments: 'apps',
  replicasets: 'apps',
  jobs: 'batch',
  roles: 'rbac.authorization.k8s.io',
};
const CODES = weighted({ 200: 88, 201: 6, 404: 3, 409: 1, 403: 1, 422: 0.5, 500: 0.2 });
const AGENTS = [
  'kubelet/v1.29.4 (linux/amd64) kubernetes/55019c8',
  'kube-controller-manager/v1.29.4 (linux/amd64) kubernetes/55019c8/leader-election',
  'kube-scheduler/v1.29.4 (linux/amd64) kubernetes/55019c8/scheduler',
  'argocd-application-controller/v0.0.0 (linux/amd64) kubernetes/$Format',
  'kubectl/v1.28.2 (darwin/arm64) kubernetes/89a4ea3',
  'Prometheus/2.48.1',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36',
];
const NAMESPACES = 300;
const NODES = 150;
const PEOPLE = 400;
/** Of one resource. */
const OBJECTS = 3000;

/** Random numbers that are always the same (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An endless stream of events as JSON text; time goes on by `stepUs` from one to the next. */
export function* syntheticEvents({ seed, startUs, stepUs }) {
  const random = randomFrom(seed);
  const hex = (digits) => {
    let text = '';
    while (text.length < digits) {
      text += Math.floor(random() * 2 ** 32)
        .toString(16)
        .padStart(8, '0');
    }
    return text.slice(0, digits);
  };
  for (let at = startUs; ; at += stepUs) yield JSON.stringify(event({ random, hex, at }));
}

function event({ random, hex, at }) {
  const below = (count) => Math.floor(random() * count);
  // The square prefers small numbers: a few namespaces and people are busy, most are quiet.
  const few = (count) => Math.floor(random() ** 2 * count);
  const verb = VERBS(random());
  const resource = RESOURCES(random());
  const isNode = resource === 'leases' || resource === 'nodes';
  const group = API_GROUPS[resource] ?? '';
  const namespace = isNode ? 'kube-node-lease' : `team-${few(NAMESPACES)}`;
  const object = isNode ? below(NODES) : few(OBJECTS);
  const name = isNode ? `node-${object}` : `${resource}-${object}-${fingerprint(object, 5)}`;
  const receivedAt = timeText(at);
  const path = group === '' ? '/api/v1' : `/apis/${group}/v1`;
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
    stage: verb === 'watch' && random() < 0.5 ? 'ResponseStarted' : 'ResponseComplete',
    requestURI: `${path}/namespaces/${namespace}/${resource}/${name}${verb === 'watch' ? `?resourceVersion=${below(9e6)}&watch=true&timeoutSeconds=${below(600)}` : ''}`,
    verb,
    user: user({ random, hex, few, isNode, name }),
    sourceIPs: [`10.${below(4)}.${below(200)}.${below(250)}`],
    userAgent: AGENTS[few(AGENTS.length)],
    objectRef: {
      resource,
      namespace,
      name,
      uid: `${fingerprint(object, 8)}-${fingerprint(object + 1, 4)}-4${fingerprint(object, 3)}-b0e1-${fingerprint(object + 7, 12)}`,
      ...(group === '' ? {} : { apiGroup: group }),
      apiVersion: 'v1',
      resourceVersion: String(1e8 + below(1e7)),
    },
    responseStatus: { metadata: {}, code: Number(CODES(random())) },
    requestReceivedTimestamp: receivedAt,
    stageTimestamp: timeText(at + 500 + below(40_000)),
    annotations: {
      'authorization.k8s.io/decision': 'allow',
      'apiserver.latency.k8s.io/total': `${(below(4e6) / 1000).toFixed(3)}ms`,
      'apiserver.latency.k8s.io/etcd': `${(below(1e6) / 1000).toFixed(3)}ms`,
      'authorization.k8s.io/reason': `RBAC: allowed by ClusterRoleBinding "system:controller:binding-${few(60)}" of ClusterRole "system:controller:role-${few(60)}" to ServiceAccount "controller/kube-system"`,
    },
  };
}

function user({ random, hex, few, isNode, name }) {
  if (isNode) {
    return { username: `system:node:${name}`, groups: ['system:nodes', 'system:authenticated'] };
  }
  if (random() < 0.6) {
    const account = `controller-${few(80)}`;
    return {
      username: `system:serviceaccount:kube-system:${account}`,
      uid: '2f3c5a0e-5d0f-4c2e-9b0a-7f1f2f0a1b2c',
      groups: [
        'system:serviceaccounts',
        'system:serviceaccounts:kube-system',
        'system:authenticated',
      ],
      extra: { 'authentication.kubernetes.io/pod-name': [`${account}-${hex(5)}`] },
    };
  }
  return {
    username: `user-${few(PEOPLE)}@example.org`,
    groups: [`oidc:team-${few(30)}`, 'oidc:developers', 'system:authenticated'],
  };
}

/** Hexadecimal digits that look random and are the same for the same number. */
function fingerprint(number, digits) {
  const random = randomFrom(number);
  return Math.floor(random() * 2 ** 48)
    .toString(16)
    .padStart(12, '0')
    .slice(-digits);
}

function timeText(us) {
  return `${new Date(Math.floor(us / 1e6) * 1000).toISOString().slice(0, 19)}.${String(us % 1e6).padStart(6, '0')}Z`;
}

function weighted(weights) {
  const entries = Object.entries(weights);
  const sum = entries.reduce((total, [, weight]) => total + weight, 0);
  const table = entries.flatMap(([value, weight]) =>
    Array(Math.max(1, Math.round((weight / sum) * 1000))).fill(value),
  );
  return (random) => table[Math.floor(random * table.length)];
}
