import { setMaxListeners } from 'node:events';
import { connect } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { HealthCheckResponse_ServingStatus, HealthService } from '@auditing/proto/health';
import {
  EvaluateRequest,
  EvaluateResponse,
  ListRulesResponse,
  RuleServiceService,
  RuleSet,
} from '@auditing/proto/rule';
import { grpcClient, type GrpcClient } from './grpc-client';
import { MAX_MESSAGE_BYTES } from './grpc-limits';
import { serveGrpc } from './grpc-server';
import { grpcService } from './grpc-service';
import { INSECURE } from './grpc-tls';
import { isRetryable, RpcError } from './rpc-error';
import type { Api } from './rpc';
import { answerStream, streamCalls } from './stream-call';
import { ServerReflectionService, type ServerReflectionRequest } from '@auditing/proto/reflection';
import { testRuntime, type TestRuntime } from './testing/runtime';
import { wait } from './wait';

type RuleApi = Api<typeof RuleServiceService>;

const never = new AbortController().signal;
setMaxListeners(0, never);
let runtime: TestRuntime;
let logged: Record<string, unknown>[];
const clients: GrpcClient<typeof RuleServiceService>[] = [];

beforeEach(() => {
  logged = [];
  runtime = testRuntime((line) => logged.push(line));
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await runtime.stop();
});

const unused = (): never => {
  throw new Error('not part of this test');
};

async function served(methods: Partial<RuleApi>): Promise<string> {
  const api: RuleApi = {
    evaluate: unused,
    evaluateStream: unused,
    watch: unused,
    getRuleSet: unused,
    listRules: unused,
    check: unused,
    ...methods,
  };
  return serveGrpc(runtime, {
    listen: '127.0.0.1:0',
    credentials: INSECURE,
    services: [grpcService(RuleServiceService, api)],
    maxConnectionAgeMs: 0,
  });
}

function clientOf(target: string, deadlineMs = 10_000): RuleApi {
  const client = grpcClient(RuleServiceService, target, { credentials: INSECURE, deadlineMs });
  clients.push(client);
  return client.api;
}

async function failure(promise: Promise<unknown>): Promise<RpcError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RpcError);
  return error as RpcError;
}

describe('a unary call', () => {
  test('gives the answer', async () => {
    const api = clientOf(
      await served({
        getRuleSet: () => Promise.resolve(RuleSet.fromPartial({ version: 'v1', generation: 7n })),
      }),
    );
    await expect(api.getRuleSet({}, never)).resolves.toMatchObject({
      version: 'v1',
      generation: 7n,
    });
  });

  test('carries the code and the text of an RpcError', async () => {
    const api = clientOf(
      await served({
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
    expect(logged).toEqual([]);
  });

  test('hides the text of any other error and logs it once', async () => {
    const api = clientOf(
      await served({ check: () => Promise.reject(new Error('password is 1234')) }),
    );
    const error = await failure(api.check({ yaml: '' }, never));
    expect(error.code).toBe(status.INTERNAL);
    expect(error.message).not.toContain('1234');
    expect(logged).toHaveLength(1);
    expect(JSON.stringify(logged)).toContain('password is 1234');
  });

  test('survives a function that throws at once', async () => {
    const api = clientOf(await served({ check: unused }));
    expect((await failure(api.check({ yaml: '' }, never))).code).toBe(status.INTERNAL);
  });

  test('cuts a text that no header can carry', async () => {
    const api = clientOf(
      await served({
        check: () => Promise.reject(new RpcError(status.NOT_FOUND, '水'.repeat(10_000))),
      }),
    );
    expect((await failure(api.check({ yaml: '' }, never))).code).toBe(status.NOT_FOUND);
  });

  test('aborted by the caller is CANCELLED there and aborts the work here', async () => {
    let aborted = false;
    const api = clientOf(
      await served({
        check: async (_request, signal) => {
          await wait(60_000, signal).catch(() => (aborted = true));
          throw new Error('unreachable for the caller');
        },
      }),
    );
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    expect((await failure(api.check({ yaml: '' }, controller.signal))).code).toBe(status.CANCELLED);
    await until(() => aborted);
  });

  test('past its deadline is DEADLINE_EXCEEDED, names the target and can be tried again', async () => {
    const target = await served({ check: (_request, signal) => wait(60_000, signal).then(unused) });
    const error = await failure(clientOf(target, 50).check({ yaml: '' }, never));
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    expect(error.message).toContain(target);
    expect(isRetryable(error)).toBe(true);
  });

  test('to nobody is UNAVAILABLE, names the target and can be tried again', async () => {
    const error = await failure(clientOf('127.0.0.1:1').getRuleSet({}, never));
    expect(error.code).toBe(status.UNAVAILABLE);
    expect(error.message).toContain('127.0.0.1:1');
    expect(isRetryable(error)).toBe(true);
  });

  test('answered UNAVAILABLE is tried again by itself', async () => {
    let tries = 0;
    const api = clientOf(
      await served({
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
    const api = clientOf(
      await served({
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
    const api = clientOf(await served({ getRuleSet: () => Promise.resolve(RuleSet.create()) }));
    await api.getRuleSet({}, never);
    const text = await runtime.metrics.metrics();
    expect(text).toContain(
      'auditing_rpc_calls_total{method="/auditing.v1.RuleService/GetRuleSet",code="OK"} 1',
    );
  });
});

describe('a stream of answers', () => {
  test('is held back by a slow reader', async () => {
    let sent = 0;
    const yaml = 'x'.repeat(100_000);
    const api = clientOf(
      await served({
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
    const api = clientOf(
      await served({
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
    const api = clientOf(
      await served({
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

describe('calls over a stream', () => {
  const evaluate: RuleApi['evaluate'] = async (request, signal) => {
    const wish = request.projectionVersion;
    if (wish === 'slow') await wait(60_000, signal);
    if (wish === 'stale') throw new RpcError(status.FAILED_PRECONDITION, 'v2');
    if (wish === 'bug') throw new Error('password is 1234');
    return EvaluateResponse.create({ verdicts: { ruleSetVersion: wish } });
  };
  const streaming = (window = 8): Partial<RuleApi> => ({
    evaluateStream: answerStream(evaluate, {
      response: EvaluateResponse,
      window,
      log: runtime.log,
    }),
  });
  const asking = (wish: string): EvaluateRequest =>
    EvaluateRequest.create({ projectionVersion: wish });

  test('are answered each by its own answer', async () => {
    const api = clientOf(await served(streaming()));
    const calls = streamCalls(api.evaluateStream, { window: 8, deadlineMs: 10_000 });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => calls.call(asking(`v${index}`), never)),
    );
    expect(answers.map(({ verdicts }) => verdicts?.ruleSetVersion)).toEqual(
      Array.from({ length: 200 }, (_, index) => `v${index}`),
    );
    calls.close();
  });

  test('fail alone, with the code they failed with', async () => {
    const api = clientOf(await served(streaming()));
    const calls = streamCalls(api.evaluateStream, { window: 8, deadlineMs: 10_000 });
    const [stale, fine, bug] = await Promise.all([
      failure(calls.call(asking('stale'), never)),
      calls.call(asking('fine'), never),
      failure(calls.call(asking('bug'), never)),
    ]);
    expect(stale).toMatchObject({ code: status.FAILED_PRECONDITION, message: 'v2' });
    expect(fine.verdicts?.ruleSetVersion).toBe('fine');
    expect(bug.code).toBe(status.INTERNAL);
    expect(bug.message).not.toContain('1234');
    expect(JSON.stringify(logged)).toContain('1234');
    calls.close();
  });

  test('never exceed the window', async () => {
    let running = 0;
    let most = 0;
    const api = clientOf(
      await served({
        evaluateStream: answerStream(
          async () => {
            running += 1;
            most = Math.max(most, running);
            await wait(5, never);
            running -= 1;
            return EvaluateResponse.create();
          },
          { response: EvaluateResponse, window: 100, log: runtime.log },
        ),
      }),
    );
    const calls = streamCalls(api.evaluateStream, { window: 3, deadlineMs: 10_000 });
    await Promise.all(Array.from({ length: 30 }, () => calls.call(asking('x'), never)));
    expect(most).toBe(3);
    calls.close();
  });

  test('have a deadline and can be given up, and the stream goes on', async () => {
    const api = clientOf(await served(streaming()));
    const calls = streamCalls(api.evaluateStream, { window: 8, deadlineMs: 200 });
    const controller = new AbortController();
    const givenUp = failure(calls.call(asking('slow'), controller.signal));
    await wait(50, never);
    controller.abort();
    expect((await givenUp).code).toBe(status.CANCELLED);
    expect((await failure(calls.call(asking('slow'), never))).code).toBe(status.DEADLINE_EXCEEDED);
    await expect(calls.call(asking('fine'), never)).resolves.toBeDefined();
    calls.close();
  });

  test('reject with UNAVAILABLE when the server goes, and work again when it is back', async () => {
    const target = await served(streaming());
    const api = clientOf(target);
    const calls = streamCalls(api.evaluateStream, { window: 8, deadlineMs: 20_000 });
    await calls.call(asking('fine'), never);
    await runtime.stop();
    expect((await failure(calls.call(asking('fine'), never))).code).toBe(status.UNAVAILABLE);

    runtime = testRuntime();
    const backAgain: Partial<RuleApi> = streaming();
    const unusedApi = {
      evaluate: unused,
      watch: unused,
      getRuleSet: unused,
      listRules: unused,
      check: unused,
    };
    await serveGrpc(runtime, {
      listen: target,
      credentials: INSECURE,
      services: [grpcService(RuleServiceService, { ...unusedApi, ...backAgain } as RuleApi)],
      maxConnectionAgeMs: 0,
    });
    for (;;) {
      const answer = await calls.call(asking('back'), never).catch((error: unknown) => {
        expect(isRetryable(error)).toBe(true);
      });
      if (answer?.verdicts?.ruleSetVersion === 'back') break;
    }
    calls.close();
  });

  test('that the server took before it stops are answered', async () => {
    let taken = false;
    const target = await served({
      evaluateStream: answerStream(
        async () => {
          taken = true;
          await wait(200, never);
          return EvaluateResponse.create({ verdicts: { ruleSetVersion: 'taken' } });
        },
        { response: EvaluateResponse, window: 8, log: runtime.log },
      ),
    });
    const calls = streamCalls(clientOf(target).evaluateStream, { window: 8, deadlineMs: 10_000 });
    const answer = calls.call(asking('x'), never);
    await until(() => taken);
    await runtime.stop();
    await expect(answer).resolves.toMatchObject({ verdicts: { ruleSetVersion: 'taken' } });
    calls.close();
  });

  test('work the same without a socket', async () => {
    const calls = streamCalls(
      answerStream(evaluate, { response: EvaluateResponse, window: 2, log: runtime.log }),
      { window: 2, deadlineMs: 10_000 },
    );
    await expect(calls.call(asking('here'), never)).resolves.toMatchObject({
      verdicts: { ruleSetVersion: 'here' },
    });
    calls.close();
  });
});

describe('a stopping server', () => {
  test('does not wait for an idle client', async () => {
    const target = await served({ getRuleSet: () => Promise.resolve(RuleSet.create()) });
    await clientOf(target).getRuleSet({}, never);
    const idle = connect(`http://${target}`);
    idle.on('error', () => undefined);
    await wait(100, never);
    const begun = Date.now();
    await runtime.stop();
    expect(Date.now() - begun).toBeLessThan(2_000);
    idle.destroy();
  });

  test('lets a unary call finish and ends streams with UNAVAILABLE', async () => {
    const api = clientOf(
      await served({
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
    await runtime.stop();
    await expect(unary).resolves.toBeDefined();
    expect((await stream).code).toBe(status.UNAVAILABLE);
  });
});

describe('the address', () => {
  test('must be loopback without TLS', async () => {
    const options = { credentials: INSECURE, services: [], maxConnectionAgeMs: 0 };
    await expect(serveGrpc(runtime, { ...options, listen: '0.0.0.0:0' })).rejects.toThrow(
      /AUDITING_GRPC_LISTEN: without TLS only a loopback address/,
    );
    await expect(serveGrpc(runtime, { ...options, listen: '[::]:0' })).rejects.toThrow(/loopback/);
  });

  test('that is taken is named in the error', async () => {
    const target = await served({});
    const options = { credentials: INSECURE, services: [], maxConnectionAgeMs: 0 };
    await expect(serveGrpc(runtime, { ...options, listen: target })).rejects.toThrow(target);
  });
});

describe('health', () => {
  test('is SERVING by service and in all, and NOT_FOUND for others', async () => {
    const target = await served({});
    const health = grpcClient(HealthService, target, { credentials: INSECURE });
    for (const service of ['', 'auditing.v1.RuleService']) {
      await expect(health.api.check({ service }, never)).resolves.toEqual({
        status: HealthCheckResponse_ServingStatus.SERVING,
      });
    }
    expect((await failure(health.api.check({ service: 'none' }, never))).code).toBe(
      status.NOT_FOUND,
    );
    const { statuses } = await health.api.list({}, never);
    expect(Object.keys(statuses).sort()).toEqual(['', 'auditing.v1.RuleService']);
    health.close();
  });

  test('turns to NOT_SERVING for those who watch when the app stops', async () => {
    const target = await served({});
    const health = grpcClient(HealthService, target, { credentials: INSECURE });
    const seen: HealthCheckResponse_ServingStatus[] = [];
    const watching = failure(
      (async () => {
        for await (const { status: now } of health.api.watch({ service: '' }, never))
          seen.push(now);
      })(),
    );
    await until(() => seen.length === 1);
    await runtime.stop();
    await watching;
    expect(seen[0]).toBe(HealthCheckResponse_ServingStatus.SERVING);
    health.close();
  });
});

describe('reflection', () => {
  type Question = NonNullable<ServerReflectionRequest['messageRequest']>;
  const V1_ALPHA = {
    serverReflectionInfo: {
      ...ServerReflectionService.serverReflectionInfo,
      path: '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    },
  } as unknown as typeof ServerReflectionService;

  async function ask(
    target: string,
    definition: typeof ServerReflectionService,
    questions: Question[],
  ) {
    const client = grpcClient(definition, target, { credentials: INSECURE });
    const requests = async function* () {
      for (const messageRequest of questions) yield { host: '', messageRequest };
      await Promise.resolve();
    };
    const answers = [];
    for await (const { messageResponse } of client.api.serverReflectionInfo(requests(), never)) {
      answers.push(messageResponse);
    }
    client.close();
    return answers;
  }

  test.each([
    ['v1', ServerReflectionService],
    ['v1alpha', V1_ALPHA],
  ])('%s tells what grpcurl asks', async (_version, definition) => {
    const [services, file, unknown] = await ask(await served({}), definition, [
      { $case: 'listServices', value: '' },
      { $case: 'fileContainingSymbol', value: 'auditing.v1.RuleService.Evaluate' },
      { $case: 'fileContainingSymbol', value: 'auditing.v1.None' },
    ]);
    if (services?.$case !== 'listServicesResponse') throw new Error('no list of services');
    expect(services.value.service.map(({ name }) => name)).toEqual([
      'auditing.v1.RuleService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
    ]);
    if (file?.$case !== 'fileDescriptorResponse') throw new Error('no file');
    const texts = file.value.fileDescriptorProto.map((bytes) => bytes.toString('latin1'));
    expect(texts[0]).toContain('auditing/v1/rule.proto');
    expect(texts.some((text) => text.startsWith('\n\x17auditing/v1/event.proto'))).toBe(true);
    expect(texts.some((text) => text.includes('google/protobuf/timestamp.proto'))).toBe(true);
    expect(unknown).toMatchObject({
      $case: 'errorResponse',
      value: { errorCode: status.NOT_FOUND },
    });
  });

  test('gives files by name', async () => {
    const [file, unknown] = await ask(await served({}), ServerReflectionService, [
      { $case: 'fileByFilename', value: 'auditing/v1/event.proto' },
      { $case: 'fileByFilename', value: '../../etc/passwd' },
    ]);
    expect(file?.$case).toBe('fileDescriptorResponse');
    expect(unknown?.$case).toBe('errorResponse');
  });
});

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 500) throw new Error('the condition did not come true within 5 s');
    await wait(10, never);
  }
}
