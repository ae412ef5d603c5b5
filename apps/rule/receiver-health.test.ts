import { AlertServiceService, ListReceiversResponse } from '@auditing/proto/alert';
import { CLUSTERS, type TestCluster } from '@auditing/kubernetes/testing/cluster';
import { serveGrpc } from '@auditing/service/grpc-server';
import { grpcService } from '@auditing/service/grpc-service';
import { INSECURE } from '@auditing/service/grpc-tls';
import type { Api } from '@auditing/service/rpc';
import { admitAll } from '@auditing/service/testing/admit-all';
import { testRuntime, type TestRuntime } from '@auditing/service/testing/runtime';
import { pino } from 'pino';
import { followReceivers, receiversHealthy, type ReceiversHealth } from './receiver-health';
import { ruleFolder, until, webhookYaml, type RuleFolder } from './testing/rule-folder';

jest.setTimeout(300_000);

/** Another service is played: what it says is what differs. */
function alertService(answer: () => object): Api<typeof AlertServiceService> {
  const listReceivers = (): Promise<ListReceiversResponse> =>
    Promise.resolve(ListReceiversResponse.fromPartial(answer()));
  const others = Object.keys(AlertServiceService).map((name) => [
    name,
    () => Promise.reject(new Error(`${name} is not for the rule service`)),
  ]);
  return { ...Object.fromEntries(others), listReceivers } as Api<typeof AlertServiceService>;
}

const healthy = { name: 'a', type: 'alertmanager' };

test('a change is told, once; a service that is away makes it unknown', async () => {
  const told: ReceiversHealth[] = [];
  const stop = new AbortController();
  let asked = 0;
  const answers: (() => object)[] = [
    () => ({ receivers: [healthy] }),
    () => ({ receivers: [healthy] }),
    () => ({ receivers: [{ ...healthy, lastError: `503 ${'x'.repeat(1_000)}` }] }),
    () => {
      throw new Error('away');
    },
    () => ({ receivers: [] }),
  ];
  await followReceivers(
    {
      alert: alertService(() => {
        const answer = answers[Math.min(asked, answers.length - 1)];
        asked += 1;
        if (asked > answers.length) stop.abort();
        return answer?.() ?? {};
      }),
      log: pino({ level: 'silent' }),
      onChange: (health) => told.push(health),
      everyMs: 1,
    },
    stop.signal,
  );
  expect(told.map((health) => receiversHealthy(health))).toMatchObject([
    { status: 'True', reason: 'AllHealthy', message: '1 of 1 receivers take alerts' },
    {
      status: 'False',
      reason: 'Failing',
      message: expect.stringMatching(/^a: 503 x{296}…$/) as string,
    },
    { status: 'Unknown', reason: 'NotKnown' },
    { status: 'True', reason: 'NoReceivers' },
  ]);
});

describe.each(CLUSTERS)('with %s', (_name, startCluster) => {
  let cluster: TestCluster;
  let folder: RuleFolder;
  let runtime: TestRuntime;

  beforeEach(async () => {
    cluster = await startCluster();
    folder = await ruleFolder();
    runtime = testRuntime();
  });

  afterEach(async () => {
    await folder.remove();
    await runtime.stop();
    await cluster.stop();
  });

  test('the status of the Webhook resource says how each receiver fares', async () => {
    const problem = 'its Secret is not there';
    const address = await serveGrpc(runtime, {
      listen: '127.0.0.1:0',
      credentials: INSECURE,
      admit: admitAll,
      services: [
        grpcService(
          AlertServiceService,
          alertService(() => ({ receivers: [healthy, { name: 'b', type: 'webhook', problem }] })),
        ),
      ],
      maxConnectionAgeMs: 0,
    });
    await cluster.apply(webhookYaml());
    await folder.start({
      AUDITING_RULE_SOURCE: 'kubernetes',
      AUDITING_KUBECONFIG: cluster.kubeconfig,
      AUDITING_ALERT_ADDRESS: address,
    });
    const condition = async (): Promise<string> => {
      const { status } = await cluster.get('Webhook', 'kube-auditing-webhook');
      const found = status?.conditions?.find(({ type }) => type === 'ReceiversHealthy');
      return `${found?.status ?? ''} ${found?.reason ?? ''}: ${found?.message ?? ''}`;
    };
    await until(async () => (await condition()) === `False Failing: b: ${problem}`, 30_000);
    const { status } = await cluster.get('Webhook', 'kube-auditing-webhook');
    expect(status?.['receivers']).toEqual([
      { name: 'a', type: 'alertmanager', state: 'Healthy' },
      { name: 'b', type: 'webhook', state: 'Failing', message: problem },
    ]);
  });
});
