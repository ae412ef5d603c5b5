// The bodies that benchmarks post: recorded events, 400 in a body, each sent once only. What is sent again is known by
// its hash and costs nothing, so each copy gets its own audit ids and the time of its sending.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export const EVENTS_PER_BODY = 400;

/** Where recorded bodies lie in the repository. */
const FOLDERS = ['samples', 'libs/audit-event/testdata'];
const READS = new Set(['get', 'list', 'watch']);
const ID = /"auditID":"([0-9a-f-]{36})"/;
const RECEIVED = /"requestReceivedTimestamp":"([^"]{27})"/;
const STAGED = /"stageTimestamp":"([^"]{27})"/;

/** What kube-apiserver 1.30 adds to the events of a service account, which the recorded 1.20 does not: another pod each. */
function extraOf(index) {
  const hex = (seed, digits) =>
    createHash('sha256').update(`${seed} ${index}`).digest('hex').slice(0, digits);
  const uid = `${hex('a', 8)}-${hex('b', 4)}-4${hex('c', 3)}-8${hex('d', 3)}-${hex('e', 12)}`;
  return {
    'authentication.kubernetes.io/credential-id': [
      `JTI=${hex('f', 8)}-6c39-4a0c-9d2f-0b6a8f0b3c11`,
    ],
    'authentication.kubernetes.io/pod-name': [`controller-manager-6d5f8c7b9d-${hex('g', 5)}`],
    'authentication.kubernetes.io/pod-uid': [uid],
  };
}
const REASON =
  'RBAC: allowed by ClusterRoleBinding "system:controller:deployment-controller" of ClusterRole "system:controller:deployment-controller" to ServiceAccount "deployment-controller/kube-system"';

/** An exec into a pod: the shipped rules raise an alert. One in a body. */
const EXEC = {
  stage: 'ResponseStarted',
  verb: 'create',
  objectRef: {
    resource: 'pods',
    namespace: 'default',
    name: 'web-0',
    apiVersion: 'v1',
    subresource: 'exec',
  },
  responseStatus: { metadata: {}, code: 101 },
};

/**
 * The workloads by name:
 * - `metadata`: events of level Metadata as recorded, about 1.2 KB; half of them reads, which the shipped rules ignore
 * - `kept`: those of them that the shipped rules keep, so that every event goes all the way
 * - `bodies`: events of level RequestResponse, about 13 KB, all kept
 */
export function workloads(root) {
  const events = recordedEvents(root);
  const metadata = events.filter(({ level }) => level === 'Metadata');
  const kept = metadata.filter(({ verb }) => !READS.has(verb));
  const large = events.filter(
    (event) => event.level === 'RequestResponse' && !READS.has(event.verb),
  );
  return {
    metadata: new Workload(metadata, enriched),
    kept: new Workload(kept, enriched),
    bodies: new Workload(ofMeanSize(large, 13_000)),
  };
}

/** Events as recorded, a share of them of level RequestResponse and 13 KB. */
export function mixedWorkload(root, largeShare) {
  const events = recordedEvents(root);
  const metadata = events.filter(({ level }) => level === 'Metadata');
  const large = events.filter(
    (event) => event.level === 'RequestResponse' && !READS.has(event.verb),
  );
  const chosen = ofMeanSize(large, 13_000);
  const every = Math.round(1 / largeShare);
  const mixed = Array.from({ length: EVENTS_PER_BODY }, (_, i) =>
    i % every === every - 1
      ? chosen[Math.floor(i / every)]
      : enriched(metadata[i % metadata.length], i),
  );
  return new Workload(mixed);
}

/** Events of Kubernetes, of the v1 API, in the order of their files. */
function recordedEvents(root) {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true })
      .filter((name) => name.endsWith('.json.gz') && !/v1beta1|truncated|kube-ai-hub/.test(name))
      .sort()
      .map((name) => join(root, folder, name)),
  );
  return files
    .flatMap((file) => JSON.parse(gunzipSync(readFileSync(file)).toString()).items ?? [])
    .filter((event) => {
      const text = JSON.stringify(event);
      return ID.test(text) && RECEIVED.test(text) && STAGED.test(text);
    });
}

function enriched(event, index) {
  return {
    ...event,
    user: { ...event.user, extra: extraOf(index) },
    annotations: { ...event.annotations, 'authorization.k8s.io/reason': REASON },
  };
}

/** Some of the events, some of them several times, 400 in all, whose mean size is as wanted. */
function ofMeanSize(events, wantedBytes) {
  // A single one of 350 KB would be a third of a body.
  const usual = events.filter((event) => size(event) > 4_000 && size(event) < 100_000);
  const large = usual.filter((event) => size(event) > wantedBytes);
  const small = usual.filter((event) => size(event) <= wantedBytes);
  const chosen = [];
  let bytes = 0;
  while (chosen.length < EVENTS_PER_BODY) {
    const from = bytes > wantedBytes * chosen.length ? small : large;
    const event = from[chosen.length % from.length];
    chosen.push(event);
    bytes += size(event);
  }
  return chosen;
}

function size(event) {
  return JSON.stringify(event).length;
}

/** Makes bodies of recorded events. */
class Workload {
  #template;
  /** Where the audit id and the two times of each event stand. */
  #places = [];
  #made = 0;

  /** `make` gives an event its shape; `index` is its place in the body. */
  constructor(events, make = (event) => event) {
    const all = Array.from({ length: EVENTS_PER_BODY }, (_, i) =>
      make(events[i % events.length], i),
    );
    const exec = { ...all[1], ...EXEC, level: all[0].level };
    const texts = [exec, ...all.slice(1)].map((event) => JSON.stringify(event));
    const parts = ['{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['];
    let at = parts[0].length;
    texts.forEach((text, index) => {
      if (index > 0) at += parts.push(',') && 1;
      this.#places.push([ID, RECEIVED, STAGED].map((pattern) => at + placeOf(text, pattern)));
      parts.push(text);
      at += Buffer.byteLength(text);
    });
    parts.push(']}\n');
    this.#template = Buffer.from(parts.join(''));
  }

  /** Mean size of an event in bytes. */
  get eventBytes() {
    return this.#template.length / EVENTS_PER_BODY;
  }

  /** A body that was never made before. */
  next() {
    const body = Buffer.from(this.#template);
    const now = new Date().toISOString().slice(0, -1);
    this.#made += 1;
    this.#places.forEach(([id, received, staged], event) => {
      const micros = String(event).padStart(3, '0');
      const number = (this.#made * EVENTS_PER_BODY + event).toString(16).padStart(12, '0');
      body.write(RUN + number, id, 'latin1');
      body.write(`${now}${micros}Z`, received, 'latin1');
      body.write(`${now}${micros}Z`, staged, 'latin1');
    });
    return body;
  }
}

/** The first 24 characters of every audit id of this run. */
const RUN = `${Math.floor(Math.random() * 2 ** 32)
  .toString(16)
  .padStart(8, '0')}-0000-4000-8000-`;

/** Where, in bytes, the value that a pattern names begins. */
function placeOf(text, pattern) {
  const { 0: whole, 1: value, index } = pattern.exec(text);
  return Buffer.byteLength(text.slice(0, index)) + whole.indexOf(value);
}
