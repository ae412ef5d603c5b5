import { CLUSTERS, type TestCluster } from '@auditing/kubernetes/testing/cluster';
import type { FakeKubeApi } from '@auditing/kubernetes/testing/fake-kube-api';
import { ruleFolder, until, webhookYaml, type RuleFolder } from './testing/rule-folder';

jest.setTimeout(120_000);
const CONFLICT = { code: 409, body: { code: 409, reason: 'Conflict', message: 'it was modified' } };

let cluster: TestCluster;
let api: FakeKubeApi;
let folder: RuleFolder;

beforeEach(async () => {
  // Faults are put in, so it is the fake one.
  cluster = await CLUSTERS[0]![1]();
  api = cluster.fake!;
  folder = await ruleFolder();
});

afterEach(async () => {
  await folder.remove();
  await cluster.stop();
});

/** Refuses so many writes of the status; counts all. */
function refuse(count: number): { readonly writes: () => number } {
  let writes = 0;
  api.onRequest = ({ method, path }) => {
    if (method !== 'PATCH' || !path.endsWith('/webhooks/kube-auditing-webhook/status'))
      return undefined;
    writes += 1;
    return writes <= count ? CONFLICT : undefined;
  };
  return { writes: () => writes };
}

const isWritten = async (): Promise<boolean> =>
  (await cluster.get('Webhook', 'kube-auditing-webhook')).status?.conditions?.some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  ) === true;

test.each([
  ['at once while they are few', 4, false],
  ['later where they do not end', 7, true],
])('a status that meets conflicts is written %s', async (_how, count, isTold) => {
  const { writes } = refuse(count);
  await cluster.apply(webhookYaml());
  const { log } = await folder.start({
    AUDITING_RULE_SOURCE: 'kubernetes',
    AUDITING_KUBECONFIG: cluster.kubeconfig,
  });
  await until(isWritten, 30_000);
  expect(writes()).toBeGreaterThan(count);
  expect(log.some(({ msg }) => msg === 'status not written; tried again')).toBe(isTold);
});
