import { status } from '@grpc/grpc-js';
import { EvaluateRequest, EvaluateResponse, RuleServiceService } from '@auditing/proto/rule';
import { admitAll } from './testing/admit-all';
import { serveGrpc } from './grpc-server';
import { grpcService } from './grpc-service';
import { INSECURE } from './grpc-tls';
import { isRetryable, RpcError } from './rpc-error';
import { answerStream, streamCalls } from './stream-call';
import {
  failure,
  grpcPair,
  never,
  until,
  unused,
  type GrpcPair,
  type RuleApi,
} from './testing/grpc-pair';
import { wait } from './wait';

let pair: GrpcPair;

beforeEach(() => {
  pair = grpcPair();
});

afterEach(() => pair.end());

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
      log: pair.runtime.log,
    }),
  });
  const asking = (wish: string): EvaluateRequest =>
    EvaluateRequest.create({ projectionVersion: wish });

  test('are answered each by its own answer', async () => {
    const api = pair.client(await pair.serve(streaming()));
    const calls = streamCalls(api.evaluateStream, { window: 8, deadlineMs: 10_000 });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => calls.call(asking(`v${index}`), never)),
    );
    expect(answers.map(({ verdicts }) => verdicts?.ruleSetVersion)).toEqual(
      Array.from({ length: 200 }, (_, index) => `v${index}`),
    );
    calls.close();
  });

  test('that follow each other soon go out together, if that is wanted', async () => {
    const asked: string[] = [];
    const noting: RuleApi['evaluate'] = (request, signal) => {
      asked.push(request.projectionVersion);
      return evaluate(request, signal);
    };
    const evaluateStream = answerStream(noting, {
      response: EvaluateResponse,
      window: 8,
      log: pair.runtime.log,
    });
    const api = pair.client(await pair.serve({ evaluateStream }));
    const departures = { everyMs: 2 ** 30, most: 2 };
    const calls = streamCalls(api.evaluateStream, { window: 8, deadlineMs: 60_000, departures });
    await calls.call(asking('first'), never);
    const second = calls.call(asking('second'), never);
    // Time enough for it to arrive, were it not held back.
    await wait(100, never);
    expect(asked).toEqual(['first']);
    await Promise.all([second, calls.call(asking('third'), never)]);
    expect(asked).toEqual(['first', 'second', 'third']);
    calls.close();
  });

  test('fail alone, with the code they failed with', async () => {
    const api = pair.client(await pair.serve(streaming()));
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
    expect(JSON.stringify(pair.logged)).toContain('1234');
    calls.close();
  });

  test('never exceed the window', async () => {
    let running = 0;
    let most = 0;
    const api = pair.client(
      await pair.serve({
        evaluateStream: answerStream(
          async () => {
            running += 1;
            most = Math.max(most, running);
            await wait(5, never);
            running -= 1;
            return EvaluateResponse.create();
          },
          { response: EvaluateResponse, window: 100, log: pair.runtime.log },
        ),
      }),
    );
    const calls = streamCalls(api.evaluateStream, { window: 3, deadlineMs: 10_000 });
    await Promise.all(Array.from({ length: 30 }, () => calls.call(asking('x'), never)));
    expect(most).toBe(3);
    calls.close();
  });

  test('have a deadline and can be given up, and the stream goes on', async () => {
    const api = pair.client(await pair.serve(streaming()));
    // Long enough for what is answered at once on a busy machine.
    const calls = streamCalls(api.evaluateStream, { window: 8, deadlineMs: 3_000 });
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
    const target = await pair.serve(streaming());
    const api = pair.client(target);
    const calls = streamCalls(api.evaluateStream, { window: 8, deadlineMs: 20_000 });
    await calls.call(asking('fine'), never);
    await pair.runtime.stop();
    expect((await failure(calls.call(asking('fine'), never))).code).toBe(status.UNAVAILABLE);

    pair = grpcPair();
    await pair.serve(streaming(), target);
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
    const target = await pair.serve({
      evaluateStream: answerStream(
        async () => {
          taken = true;
          await wait(200, never);
          return EvaluateResponse.create({ verdicts: { ruleSetVersion: 'taken' } });
        },
        { response: EvaluateResponse, window: 8, log: pair.runtime.log },
      ),
    });
    const calls = streamCalls(pair.client(target).evaluateStream, {
      window: 8,
      deadlineMs: 10_000,
    });
    const answer = calls.call(asking('x'), never);
    await until(() => taken);
    await pair.runtime.stop();
    await expect(answer).resolves.toMatchObject({ verdicts: { ruleSetVersion: 'taken' } });
    calls.close();
  });

  test('outlive streams that are renewed all the time', async () => {
    const api = pair.client(await pair.serve(streaming()));
    const calls = streamCalls(api.evaluateStream, {
      window: 8,
      deadlineMs: 10_000,
      renewAfterMs: 1,
    });
    await Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        await wait(index, never);
        const answer = await calls.call(asking(`v${index}`), never);
        expect(answer.verdicts?.ruleSetVersion).toBe(`v${index}`);
      }),
    );
    const text = await pair.runtime.metrics.metrics();
    const ended = /calls_total{method="[^"]*EvaluateStream",code="OK"} (\d+)/.exec(text)?.[1];
    expect(Number(ended)).toBeGreaterThan(10);
    calls.close();
  });

  test('are not broken by a server that replaces its connections', async () => {
    const unaryApi = {
      evaluate,
      watch: unused,
      getRuleSet: unused,
      listRules: unused,
      check: unused,
      explain: unused,
      test: unused,
    };
    const api = { ...unaryApi, ...streaming() } as RuleApi;
    const target = await serveGrpc(pair.runtime, {
      listen: '127.0.0.1:0',
      credentials: INSECURE,
      services: [grpcService(RuleServiceService, api)],
      maxConnectionAgeMs: 100,
      admit: admitAll,
    });
    const client = pair.client(target);
    const calls = streamCalls(client.evaluateStream, {
      window: 8,
      deadlineMs: 10_000,
      renewAfterMs: 50,
    });
    const endAt = Date.now() + 2_000;
    let answeredCount = 0;
    while (Date.now() < endAt || answeredCount <= 50) {
      await calls.call(asking('fine'), never);
      answeredCount += 1;
    }
    calls.close();
  });

  test('work the same without a socket', async () => {
    const calls = streamCalls(
      answerStream(evaluate, { response: EvaluateResponse, window: 2, log: pair.runtime.log }),
      { window: 2, deadlineMs: 10_000 },
    );
    await expect(calls.call(asking('here'), never)).resolves.toMatchObject({
      verdicts: { ruleSetVersion: 'here' },
    });
    calls.close();
  });
});
