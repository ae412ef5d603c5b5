import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testAuthority } from '@auditing/service/testing/authority';
import { describeWith } from '@auditing/service/testing/optional';
import { testRedis, type TestRedis } from './testing/redis';
import { ruleFolder, ruleYaml, type RuleFolder, type RunningRule } from './testing/rule-folder';

const never = new AbortController().signal;
const PASSWORD = 'p@ss/word:ä';

async function names({ client }: RunningRule): Promise<string[]> {
  return (await client.listRules({}, never)).rules.map(({ name }) => name);
}

describeWith('redis-server', 'a Redis with a password and TLS', () => {
  let folder: string;
  let ca: string;
  let redis: TestRedis;
  let one: RuleFolder;
  let other: RuleFolder;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'redis-tls-'));
    const files = await (await testAuthority(folder)).issue('redis', ['redis']);
    const tls = { cert: files.cert ?? '', key: files.key ?? '', ca: files.ca ?? '' };
    ca = tls.ca;
    redis = await testRedis({ password: PASSWORD, tls });
    await redis.start();
  });

  afterAll(async () => {
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
  });

  const url = (password: string): string =>
    redis.url.replace('//', `//:${encodeURIComponent(password)}@`);

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

  test('a CA for a Redis without TLS stops the start', async () => {
    const env = { AUDITING_REDIS_URL: 'redis://127.0.0.1:1', AUDITING_REDIS_CA: ca };
    await expect(one.start(env)).rejects.toThrow('AUDITING_REDIS_CA: expected AUDITING_REDIS_URL');
  });
});
