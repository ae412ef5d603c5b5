import { connect } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { ListRulesResponse, RuleSet } from '@auditing/proto/rule';
import { MAX_MESSAGE_BYTES } from './grpc-limits';
import { admitAll } from './testing/admit-all';
import { serveGrpc } from './grpc-server';
import { INSECURE } from './grpc-tls';
import { isRetryable, RpcError } from './rpc-error';
import { failure, grpcPair, never, until, unused, type GrpcPair } from './testing/grpc-pair';
import { wait } from './wait';

let pair: GrpcPair;

beforeEach(() => {
  pair = grpcPair();
});

afterEach(() => pair.end());

describe('a unary call', () => {
  test('gives the answer', async () => {
    const api = pair.client(
      await pair.serve({
        getRuleSet: () => Promise.resolve(RuleSet.fromPartial({ version: 'v1', generation: 7n })),
      }),
    );
    await expect(api.getRuleSet({}, never)).resolves.toMatchObject({
      version: 'v1',
      generation: 7n,
    });
  });

  test('carries the code and the text of an RpcError', async () => {
    const api = pair.client(
      await pair.serve({
        check: () =>
          Promise.reject(new RpcError(status.INVALID_ARGUMENT, 'yaml: expected Ü, got 水')),
      }),
    );
    const error = await failure(api.check({ yaml: '' }, never));
    expect(error).toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: 'yaml: expected Ü, got 水',
    });
    expect(isRetryable(error)).toBe(false);
    expect(pair.logged).toEqual([]);
  });

  test('hides the text of any other error and logs it once', async () => {
    const api = pair.client(
      await pair.serve({ check: () => Promise.reject(new Error('password is 1234')) }),
    );
    const error = await failure(api.check({ yaml: '' }, never));
    expect(error.code).toBe(status.INTERNAL);
    expect(error.message).not.toContain('1234');
    expect(pair.logged).toHaveLength(1);
    expect(JSON.stringify(pair.logged)).toContain('password is 1234');
  });

  test('survives a function that throws at once', async () => {
    const api = pair.client(await pair.serve({ check: unused }));
    expect((await failure(api.check({ yaml: '' }, never))).code).toBe(status.INTERNAL);
  });

  test('cuts a text that no header can carry', async () => {
    const api = pair.client(
      await pair.serve({
        check: () => Promise.reject(new RpcError(status.NOT_FOUND, '水'.repeat(10_000))),
      }),
    );
    expect((await failure(api.check({ yaml: '' }, never))).code).toBe(status.NOT_FOUND);
  });

  test('aborted by the caller is CANCELLED there and aborts the work here', async () => {
    let aborted = false;
    const controller = new AbortController();
    const api = pair.client(
      await pair.serve({
        check: async (_request, signal) => {
          // Not earlier: a call that has not come here yet has nothing to abort.
          controller.abort();
          await wait(60_000, signal).catch(() => (aborted = true));
          throw new Error('unreachable for the caller');
        },
      }),
    );
    expect((await failure(api.check({ yaml: '' }, controller.signal))).code).toBe(status.CANCELLED);
    await until(() => aborted);
  });

  test('past its deadline is DEADLINE_EXCEEDED, names the target and can be tried again', async () => {
    const target = await pair.serve({
      check: (_request, signal) => wait(60_000, signal).then(unused),
    });
    const error = await failure(pair.client(target, 50).check({ yaml: '' }, never));
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    expect(error.message).toContain(target);
    expect(isRetryable(error)).toBe(true);
  });

  test('to nobody is UNAVAILABLE, names the target and can be tried again', async () => {
    const error = await failure(pair.client('127.0.0.1:1').getRuleSet({}, never));
    expect(error.code).toBe(status.UNAVAILABLE);
    expect(error.message).toContain('127.0.0.1:1');
    expect(isRetryable(error)).toBe(true);
  });

  test('answered UNAVAILABLE is tried again by itself', async () => {
    let tries = 0;
    const api = pair.client(
      await pair.serve({
        listRules() {
          tries += 1;
          if (tries < 3) return Promise.reject(new RpcError(status.UNAVAILABLE, 'not yet'));
          return Promise.resolve(ListRulesResponse.create());
        },
      }),
    );
    await api.listRules({}, never);
    expect(tries).toBe(3);
  });

  test('takes messages over the default 4 MiB of gRPC, and refuses those over the limit', async () => {
    const api = pair.client(
      await pair.serve({
        check: ({ yaml }) => Promise.resolve({ diagnostics: [], ruleCount: yaml.length }),
      }),
    );
    const large = 'x'.repeat(8 * 1024 * 1024);
    await expect(api.check({ yaml: large }, never)).resolves.toMatchObject({
      ruleCount: large.length,
    });
    const tooLarge = 'x'.repeat(MAX_MESSAGE_BYTES + 1);
    expect((await failure(api.check({ yaml: tooLarge }, never))).code).toBe(
      status.RESOURCE_EXHAUSTED,
    );
  });

  test('is counted by method and code', async () => {
    const api = pair.client(
      await pair.serve({ getRuleSet: () => Promise.resolve(RuleSet.create()) }),
    );
    await api.getRuleSet({}, never);
    const text = await pair.runtime.metrics.metrics();
    expect(text).toContain(
      'auditing_rpc_calls_total{method="/auditing.v1.RuleService/GetRuleSet",code="OK"} 1',
    );
  });
});

describe('a stream of answers', () => {
  test('is held back by a slow reader', async () => {
    let sent = 0;
    const yaml = 'x'.repeat(100_000);
    const api = pair.client(
      await pair.serve({
        async *watch(_request, signal) {
          while (!signal.aborted) {
            await Promise.resolve();
            sent += 1;
            yield RuleSet.fromPartial({ version: yaml });
          }
        },
      }),
    );
    const controller = new AbortController();
    let seen = 0;
    const reading = (async () => {
      for await (const set of api.watch({ knownVersion: '' }, controller.signal)) {
        expect(set.version).toHaveLength(100_000);
        seen += 1;
        await wait(seen === 1 ? 500 : 0, never);
        if (seen === 20) break;
      }
    })();
    await wait(400, never);
    expect(sent).toBeLessThan(100);
    await reading;
    expect(seen).toBe(20);
  });

  test('ends the work when the reader leaves', async () => {
    let ended = false;
    const api = pair.client(
      await pair.serve({
        async *watch(_request, signal) {
          yield RuleSet.create();
          await wait(60_000, signal).catch(() => (ended = true));
        },
      }),
    );
    for await (const _set of api.watch({ knownVersion: '' }, never)) break;
    await until(() => ended);
  });

  test('carries an error after the messages before it', async () => {
    const api = pair.client(
      await pair.serve({
        async *watch() {
          for (let index = 0; index < 50; index += 1) yield RuleSet.create();
          await Promise.resolve();
          throw new RpcError(status.OUT_OF_RANGE, 'after fifty');
        },
      }),
    );
    let seen = 0;
    const reading = (async () => {
      for await (const _set of api.watch({ knownVersion: '' }, never)) seen += 1;
    })();
    expect((await failure(reading)).code).toBe(status.OUT_OF_RANGE);
    expect(seen).toBe(50);
  });
});

describe('a stopping server', () => {
  test('does not wait for an idle client', async () => {
    const target = await pair.serve({ getRuleSet: () => Promise.resolve(RuleSet.create()) });
    await pair.client(target).getRuleSet({}, never);
    const idle = connect(`http://${target}`);
    idle.on('error', () => undefined);
    await wait(100, never);
    const begun = Date.now();
    await pair.runtime.stop();
    // Not as long as it would have waited for one that is at work.
    expect(Date.now() - begun).toBeLessThan(9_000);
    idle.destroy();
  });

  test('lets a unary call finish and ends streams with UNAVAILABLE', async () => {
    const api = pair.client(
      await pair.serve({
        getRuleSet: () => wait(300, never).then(() => RuleSet.create()),
        async *watch(_request, signal) {
          yield RuleSet.create();
          await wait(60_000, signal);
        },
      }),
    );
    const unary = api.getRuleSet({}, never);
    let watching = false;
    const stream = failure(
      (async () => {
        for await (const _set of api.watch({ knownVersion: '' }, never)) watching = true;
      })(),
    );
    await until(() => watching);
    await pair.runtime.stop();
    await expect(unary).resolves.toBeDefined();
    expect((await stream).code).toBe(status.UNAVAILABLE);
  });
});

describe('the address', () => {
  test('must be loopback without TLS', async () => {
    const options = { credentials: INSECURE, services: [], maxConnectionAgeMs: 0, admit: admitAll };
    await expect(serveGrpc(pair.runtime, { ...options, listen: '0.0.0.0:0' })).rejects.toThrow(
      /AUDITING_GRPC_LISTEN: without TLS only a loopback address/,
    );
    await expect(serveGrpc(pair.runtime, { ...options, listen: '[::]:0' })).rejects.toThrow(
      /loopback/,
    );
  });

  test('that is taken is named in the error', async () => {
    const target = await pair.serve({});
    const options = { credentials: INSECURE, services: [], maxConnectionAgeMs: 0, admit: admitAll };
    await expect(serveGrpc(pair.runtime, { ...options, listen: target })).rejects.toThrow(target);
  });
});
