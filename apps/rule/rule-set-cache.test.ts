import { Redis } from 'ioredis';
import { describeWith } from '@auditing/service/testing/optional';
import {
  ruleFolder,
  ruleYaml,
  until,
  webhookYaml,
  type RuleFolder,
  type RunningRule,
} from './testing/rule-folder';
import { testRedis, type TestRedis } from './testing/redis';

const never = new AbortController().signal;

async function names({ client }: RunningRule): Promise<string[]> {
  return (await client.listRules({}, never)).rules.map(({ name }) => name);
}

async function generation({ client }: RunningRule): Promise<bigint> {
  return (await client.getRuleSet({}, never)).generation;
}

describeWith('redis-server', 'rule services on one Redis', () => {
  let redis: TestRedis;
  let one: RuleFolder;
  let other: RuleFolder;
  let env: Record<string, string>;

  beforeEach(async () => {
    redis = await testRedis();
    await redis.start();
    one = await ruleFolder();
    other = await ruleFolder();
    env = { AUDITING_REDIS_URL: redis.url };
  });

  afterEach(async () => {
    await one.remove();
    await other.remove();
    await redis.remove();
  });

  test('one whose source has nothing starts from it', async () => {
    await one.write('a.yaml', `${ruleYaml('a', 'Verb = "get"')}---\n${webhookYaml()}`);
    const first = await one.start(env);
    const second = await other.start(env);
    expect(await names(second)).toEqual(['a.one']);
    expect(await second.client.getRuleSet({}, never)).toMatchObject({
      version: (await first.client.getRuleSet({}, never)).version,
      generation: await generation(first),
    });
  });

  test('a change that one sees is in force in the other at once', async () => {
    await one.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
    const first = await one.start(env);
    const second = await other.start(env);
    const before = await generation(second);
    await one.write('a.yaml', ruleYaml('b', 'Verb = "get"'));
    await until(async () => (await names(second))[0] === 'b.one');
    expect(await generation(second)).toBe(before + 1n);
    expect(await generation(first)).toBe(before + 1n);
  });

  test('both that see the same change at the same time count it once', async () => {
    for (const folder of [one, other]) await folder.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
    const first = await one.start(env);
    const second = await other.start(env);
    expect([await generation(first), await generation(second)]).toEqual([1n, 1n]);
    for (const folder of [one, other]) await folder.write('a.yaml', ruleYaml('b', 'Verb = "get"'));
    await until(
      async () => (await names(first))[0] === 'b.one' && (await names(second))[0] === 'b.one',
    );
    expect([await generation(first), await generation(second)]).toEqual([2n, 2n]);
  });

  test('Redis that goes away stops nothing, and what changed meanwhile is shared when it is back', async () => {
    await one.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
    const first = await one.start(env);
    const second = await other.start(env);
    await redis.stop();
    await until(() => first.log.some(({ msg }) => String(msg).startsWith('Redis is away')));
    await one.write('a.yaml', ruleYaml('b', 'Verb = "get"'));
    await until(async () => (await names(first))[0] === 'b.one');
    expect(await names(second)).toEqual(['a.one']);
    const metrics = await (await fetch(`${first.started.addresses['admin'] ?? ''}/metrics`)).text();
    expect(metrics).toContain('auditing_rule_redis_up 0');
    expect(first.log.filter(({ msg }) => String(msg).startsWith('Redis is away'))).toHaveLength(1);

    await redis.start();
    await until(async () => (await names(second))[0] === 'b.one', 15_000);
  }, 300_000);

  test('a start while Redis is away goes on without it', async () => {
    await redis.stop();
    await one.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
    const rule = await one.start(env);
    expect(await names(rule)).toEqual(['a.one']);
  });

  test('what nobody of us wrote there is not taken, and is written over', async () => {
    const intruder = new Redis(redis.url);
    await intruder.hset('auditing:rule-set', {
      generation: 50,
      hash: 'x',
      set: '{"generation":50,"hash":"x"}',
    });
    await one.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
    const rule = await one.start(env);
    expect(await names(rule)).toEqual(['a.one']);
    expect(await intruder.hget('auditing:rule-set', 'generation')).toBe('51');
    intruder.disconnect();
  });

  test('installations with different prefixes do not see each other', async () => {
    await one.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
    await other.write('b.yaml', ruleYaml('b', 'Verb = "get"'));
    const first = await one.start(env);
    const second = await other.start({ ...env, AUDITING_REDIS_PREFIX: 'elsewhere' });
    expect([await names(first), await names(second)]).toEqual([['a.one'], ['b.one']]);
  });
});
