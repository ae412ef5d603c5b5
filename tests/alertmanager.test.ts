import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describeWith } from '@auditing/service/testing/optional';
import { post } from './post';
import { scratchFolder } from './processes';
import { startAlertmanager, type Alertmanager } from './start-alertmanager';
import { startStandalone, type Stack } from './stack';

const ROOT = join(__dirname, '..');

interface SeenAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

describeWith('prometheus-alertmanager', 'the exec of the samples', () => {
  const scratch = scratchFolder();
  let alertmanager: Alertmanager;
  let stack: Stack;

  beforeAll(async () => {
    alertmanager = await startAlertmanager(join(scratch.path, 'alertmanager'));
    const config = join(scratch.path, 'config');
    cpSync(join(ROOT, 'config'), config, { recursive: true });
    const webhook = readFileSync(join(config, 'webhook.yaml'), 'utf8').replace(
      'receivers: []',
      `receivers: [{ name: real, type: alertmanager, config: { url: '${alertmanager.url}' } }]`,
    );
    writeFileSync(join(config, 'webhook.yaml'), webhook);
    stack = await startStandalone(scratch.path, { AUDITING_CONFIG_DIR: config });
  });
  afterAll(async () => {
    await stack.stop();
    await alertmanager.stop();
    scratch.remove();
  });

  test('arrives at Alertmanager as AttachOrExecPod, with the labels KubeSphere uses', async () => {
    const body = gunzipSync(readFileSync(join(ROOT, 'samples/typical-0007.json.gz')));
    expect((await post(stack.address('webhook'), body)).status).toBe(200);
    const alert = await firstAlert(alertmanager.url, 'AttachOrExecPod');
    expect(alert.labels).toMatchObject({
      alertname: 'AttachOrExecPod',
      alerttype: 'auditing',
      resource: 'pods',
      verb: expect.stringMatching(/^(get|create)$/) as string,
      user: expect.stringMatching(/.+/) as string,
      group: expect.stringMatching(/^\[".*"\]$/) as string,
      requestReceivedTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\d .* \+0000 UTC$/) as string,
    });
    expect(alert.annotations['message']).toMatch(/ (exec|attach) Pod .+ in Namespace .+\.$/);
  });

  test('a probe goes from the gateway to Alertmanager, and tells each hop', async () => {
    const answer = (await (await probe(stack.address('api'))).json()) as {
      readonly marker: string;
      readonly delivered: boolean;
      readonly hops: readonly object[];
    };
    expect(answer).toMatchObject({
      delivered: true,
      hops: [
        { hop: 'received', ok: true },
        { hop: 'decided', ok: true },
        { hop: 'raised', ok: true },
        { hop: 'accepted', ok: true, receiver: 'real', instance: `${alertmanager.url}/` },
      ],
    });
    const alert = await firstAlert(alertmanager.url, 'AuditingProbe');
    expect(alert.labels).toMatchObject({ name: answer.marker });
    const events = '/apis/query.auditing.kubesphere.io/v1alpha1/events?user=system:auditing:probe';
    const found = await fetch(new URL(events, stack.address('api')));
    expect(await found.json()).toEqual({ events: [] });
  });
});

async function probe(api: string): Promise<Response> {
  const path = '/apis/query.auditing.kubesphere.io/v1alpha1/probe?waitMs=60000';
  return await fetch(new URL(path, api), { method: 'POST' });
}

async function firstAlert(url: string, name: string): Promise<SeenAlert> {
  const giveUpAt = Date.now() + 60_000;
  for (;;) {
    const response = await fetch(new URL(`/api/v2/alerts?filter=alertname="${name}"`, url));
    const [first] = (await response.json()) as SeenAlert[];
    if (first) return first;
    if (Date.now() > giveUpAt) throw new Error(`no alert ${name} at ${url}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
