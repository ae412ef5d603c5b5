import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { testAuthority } from '@auditing/service/testing/authority';
import { describeWith } from '@auditing/service/testing/optional';
import { testRedis, type TestRedis } from './testing/redis';
import { leavingEarly, relay, spoiling, type Relay } from './testing/relay';
import {
  ruleFolder,
  ruleYaml,
  until,
  type RuleFolder,
  type RunningRule,
} from './testing/rule-folder';

const never = new AbortController().signal;
const PASSWORD = 'p@ss/word:ä';

async function names({ client }: RunningRule): Promise<string[]> {
  return (await client.listRules({}, never)).rules.map(({ name }) => name);
}

// A busy machine takes long for handshakes and starts.
jest.setTimeout(60_000);

describeWith('redis-server', 'a Redis with a password and TLS', () => {
  let folder: string;
  let ca: string;
  let redis: TestRedis;
  let direct: Redis;
  let one: RuleFolder;
  let other: RuleFolder;
  let between: Relay | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'redis-tls-'));
    const files = await (await testAuthority(folder)).issue('redis', ['redis']);
    const tls = { cert: files.cert ?? '', key: files.key ?? '', ca: files.ca ?? '' };
    ca = tls.ca;
    redis = await testRedis({ password: PASSWORD, tls });
    await redis.start();
    direct = new Redis(url(PASSWORD), { tls: { ca: await readFile(ca) } });
  });

  afterAll(async () => {
    await direct.quit();
    await redis.remove();
    await rm(folder, { recursive: true });
  });

  beforeEach(async () => {
    one = await ruleFolder();
    other = await ruleFolder();
  });

  afterEach(async () => {
    await one.remove();
    await other.remove();
    await between?.close();
    between = undefined;
  });

  const url = (password: string, base = redis.url): string =>
    base.replace('//', `//:${encodeURIComponent(password)}@`);

  test('is used by who has its password and knows its CA, and by nobody else', async () => {
    const env = { AUDITING_REDIS_URL: url(PASSWORD), AUDITING_REDIS_CA: ca };
    await one.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
    await one.start(env);
    const second = await other.start(env);
    expect(await names(second)).toEqual(['a.one']);
    for (const wrong of [
      { ...env, AUDITING_REDIS_URL: url('guess') },
      { ...env, AUDITING_REDIS_URL: redis.url },
      { AUDITING_REDIS_URL: url(PASSWORD) },
    ]) {
      const stranger = await ruleFolder();
      // It has no rules of its own, and none from there: the work goes on without Redis.
      const running = await stranger.start(wrong);
      await expect(names(running)).rejects.toThrow('no rule set is loaded yet');
      await stranger.remove();
    }
  });

  // An error that nobody listens for would end the process, and fails the test here.
  test('may send an alert after a certificate that is not trusted', async () => {
    const passed = (between = await relay(redis.url, leavingEarly));
    await one.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
    const running = await one.start({ AUDITING_REDIS_URL: url(PASSWORD, passed.url) });
    // Each has two; a third follows one that is broken.
    await until(() => passed.connectionCount() > 2);
    expect(await names(running)).toEqual(['a.one']);
  });

  test('is connected to anew, by both connections, when a record of it is broken', async () => {
    const { relaying, spoil } = spoiling();
    const passed = (between = await relay(redis.url, relaying));
    await one.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
    const env = { AUDITING_REDIS_URL: url(PASSWORD, passed.url), AUDITING_REDIS_CA: ca };
    const { log } = await one.start(env);
    const isConnected = async (times: number): Promise<boolean> =>
      log.filter(({ msg }) => msg === 'Redis is there').length >= times &&
      passed.connectionCount() >= 2 * times &&
      (await direct.pubsub('NUMSUB', 'auditing:rule-set:changed'))[1] === 1;
    await until(() => isConnected(1));
    spoil();
    await until(() => isConnected(2));
  });

  test('a CA for a Redis without TLS stops the start', async () => {
    const env = { AUDITING_REDIS_URL: 'redis://127.0.0.1:1', AUDITING_REDIS_CA: ca };
    await expect(one.start(env)).rejects.toThrow('AUDITING_REDIS_CA: expected AUDITING_REDIS_URL');
  });
});
