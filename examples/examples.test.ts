import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { standaloneService } from '@auditing/standalone/service';
import { createLog } from '@auditing/service/log';
import { start, type Started } from '@auditing/service/start';
import { main as alerts } from './alerts';
import { main as archive } from './archive';
import { main as rules } from './rules';

const ROOT = join(__dirname, '..');
let folder: string;
let system: Started;
let address: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'auditing-examples-'));
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  system = await start(
    standaloneService,
    {
      AUDITING_DATA_DIR: join(folder, 'data'),
      AUDITING_CONFIG_DIR: join(ROOT, 'config'),
      AUDITING_WEBHOOK_PORT: '0',
      AUDITING_WEBHOOK_TLS: 'off',
      AUDITING_API_PORT: '0',
      AUDITING_ADMIN_PORT: '0',
      AUDITING_GRPC_LISTEN: '127.0.0.1:0',
    },
    createLog('examples', { level: 'silent' }),
  );
  address = system.addresses['archive'] ?? '';
  const body = gunzipSync(readFileSync(join(ROOT, 'samples/typical-0007.json.gz')));
  const post = async (): Promise<number> => {
    const answer = await fetch(system.addresses['webhook'] ?? '', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
    });
    return answer.status;
  };
  let code = await post();
  // A machine too busy for an answer in time, as a sender would see it: what comes again is known.
  while (code === 503) code = await post();
  expect(code).toBe(200);
});
afterAll(async () => {
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs an example until it has printed something; the archive and the alerts follow the 200 by a moment. */
async function printed(
  main: (args: string[], print: (line: string) => void, at: string) => Promise<void>,
  args: string[],
): Promise<string> {
  for (;;) {
    const lines: string[] = [];
    await main(args, (line) => lines.push(line), address);
    if (lines.length > 0 && !lines.join().includes('no alerts yet')) return lines.join('\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('the archive is searched', async () => {
  expect(await printed(archive, ['search'])).toMatch(/"create" "[^"]*\/pods\/[^"]*exec/);
});

test('events are exported as lines of JSON', async () => {
  const lines = (await printed(archive, ['export'])).split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual(
    expect.objectContaining({ verb: 'create' }),
  );
});

test('the history of an object is told', async () => {
  expect(await printed(archive, ['history', 'pods', 'shop', 'target'])).toMatch(
    /"create" "shop\/pods\/target\/exec"/,
  );
});

test('the archive is verified, and again against the checkpoint it gave', async () => {
  await printed(archive, ['search']);
  const checkpoint = /^checkpoint (.+)$/m.exec(await printed(archive, ['verify']))?.[1] ?? '';
  expect(checkpoint).not.toBe('');
  expect(await printed(archive, ['verify', checkpoint])).toMatch(/where the checkpoint was kept/);
});

test('rules are listed', async () => {
  expect(await printed(rules, ['list'])).toMatch(/^on {2}WARNING +alerting-rule\.AttachOrExecPod/m);
});

test('a rule with a mistake is found out, with its place', async () => {
  const text = readFileSync(join(ROOT, 'config/rules/archiving-rule.yaml'), 'utf8');
  const file = join(folder, 'bad.yaml');
  writeFileSync(file, text.replace('Verb not in', 'Verb nott in'));
  expect(await printed(rules, ['check', file])).toMatch(/^ERROR .*archiving-rule.* \d+:\d+ /m);
});

test('an event is put to the rules', async () => {
  const file = join(folder, 'event.json');
  const objectRef = { resource: 'pods', name: 'web', namespace: 'shop', subresource: 'exec' };
  writeFileSync(file, JSON.stringify({ auditID: 'a', verb: 'create', objectRef }));
  expect(await printed(rules, ['evaluate', file])).toMatch(
    /^alert {3}alerting-rule\.AttachOrExecPod .*exec Pod web in Namespace shop\.$/m,
  );
});

test('a rule is explained', async () => {
  const file = join(folder, 'get.json');
  writeFileSync(file, JSON.stringify({ verb: 'get', objectRef: { resource: 'pods' } }));
  const tree = await printed(rules, ['explain', 'alerting-rule.AttachOrExecPod', file]);
  expect(tree).toMatch(/^false and$/m);
  expect(tree).toMatch(/^true +ObjectRef\.Resource = "pods" {2}sees "pods"$/m);
  expect(tree).toMatch(/^false +ObjectRef\.Subresource in \("exec", "attach"\) {2}sees ""$/m);
});

test('rules are tested', async () => {
  const file = join(ROOT, 'config/tests/alerting-rule.yaml');
  expect(await printed(rules, ['test', file])).toMatch(/^[1-9]\d* passed, 0 failed$/m);
});

test('alerts are listed', async () => {
  expect(await printed(alerts, ['list'])).toMatch(/^alerting-rule\.AttachOrExecPod ".*exec Pod/m);
});
