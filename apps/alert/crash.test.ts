import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { AlertServiceService, DeliveryState } from '@auditing/proto/alert';
import { RuleServiceService } from '@auditing/proto/rule';
import { grpcClient, type GrpcClient } from '@auditing/service/grpc-client';
import { admitAll } from '@auditing/service/testing/admit-all';
import { serveGrpc } from '@auditing/service/grpc-server';
import { grpcService } from '@auditing/service/grpc-service';
import { INSECURE } from '@auditing/service/grpc-tls';
import { testRuntime } from '@auditing/service/testing/runtime';
import { namesIn, startFaultServer, type FaultServer } from './testing/fault-server';
import { scratchFolder } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { ALL, sampleAlerts, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

const KILLS = 8;
const ALERTS_PER_BATCH = 5;

type AlertClient = GrpcClient<typeof AlertServiceService>;

/** The alert service as a process of its own. */
interface Process {
  readonly client: AlertClient;
  readonly kill: () => Promise<void>;
}

describe('kill -9 of the process', () => {
  const scratch = scratchFolder();
  const runtime = testRuntime();
  const main = join(scratch.path, 'main.mjs');
  let webhook: FaultServer;
  let ruleAddress: string;
  let running: Process | undefined;

  beforeAll(async () => {
    await build({
      entryPoints: [join(__dirname, 'main.ts')],
      outfile: main,
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['@mongodb-js/zstd'],
      logLevel: 'error',
      banner: {
        js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);",
      },
    });
    webhook = await startFaultServer();
    const rule = ruleStub([sampleReceiver('webhook', webhook.url)]);
    ruleAddress = await serveGrpc(runtime, {
      listen: '127.0.0.1:0',
      credentials: INSECURE,
      services: [grpcService(RuleServiceService, rule.api)],
      maxConnectionAgeMs: 0,
      admit: admitAll,
    });
  }, 60_000);
  afterAll(async () => {
    await running?.kill();
    await runtime.stop();
    await webhook.close();
    scratch.remove();
  });

  const start = async (): Promise<Process> => {
    const child = spawn(process.execPath, [main], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: {
        AUDITING_DATA_DIR: scratch.path,
        AUDITING_GRPC_LISTEN: '127.0.0.1:0',
        AUDITING_ADMIN_PORT: '0',
        AUDITING_RULE_ADDRESS: ruleAddress,
      },
    });
    const { alert } = await readyLine(child);
    const client = grpcClient(AlertServiceService, alert ?? '', { credentials: INSECURE });
    return {
      client,
      async kill() {
        client.close();
        if (child.exitCode !== null) return;
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      },
    };
  };

  test('loses no alert that was taken, and sends none under two ids', async () => {
    const { signal } = new AbortController();
    const taken = new Set<string>();
    // Some requests stay without an answer, so that most kills hit one under way.
    webhook.behave = () => (webhook.posted.length % 7 === 0 ? 'hang' : { status: 200 });
    let sequence = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      running = await start();
      const killing = new AbortController();
      const killed = sleep(300 + kill * 50).then(async () => {
        await running?.kill();
        killing.abort();
      });
      while (!killing.signal.aborted) {
        const alerts = sampleAlerts(`batch-${sequence}`, ALERTS_PER_BATCH);
        // What was not answered is sent again to the next process, as the gateway does.
        const isTaken = await running.client.api
          .raise(sampleRequest(sequence + 1, alerts), signal)
          .then(
            () => true,
            () => false,
          );
        if (!isTaken) {
          await sleep(5);
          continue;
        }
        for (const { event } of alerts) taken.add(event?.objectRef?.name ?? '');
        sequence += 1;
      }
      await killed;
    }
    webhook.behave = () => ({ status: 200 });
    running = await start();
    const { api } = running.client;
    await until(
      'everything is delivered',
      async () => {
        const { alerts } = await api.list(ALL, signal);
        return alerts.every(({ deliveries }) => deliveries[0]?.state === DeliveryState.DELIVERED);
      },
      30_000,
    );
    const delivered = new Set(webhook.taken.flatMap(namesIn));
    expect(taken.size).toBeGreaterThan(KILLS * ALERTS_PER_BATCH);
    expect([...taken].filter((name) => !delivered.has(name))).toEqual([]);
    const idsOf = new Map<string, Set<unknown>>();
    for (const posted of webhook.posted) {
      const [name = ''] = namesIn(posted);
      const ids = idsOf.get(name) ?? new Set();
      idsOf.set(name, ids.add(posted.headers['auditing-delivery-id']));
    }
    expect([...idsOf.values()].every((ids) => ids.size === 1)).toBe(true);
  }, 120_000);
});

async function readyLine(child: ChildProcess): Promise<Record<string, string>> {
  if (!child.stdout) throw new Error('the process has no stdout');
  for await (const line of createInterface(child.stdout)) {
    if (line.startsWith('ready ')) return JSON.parse(line.slice(6)) as Record<string, string>;
  }
  throw new Error('the process ended before it was ready');
}
