import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { RuleServiceService } from '@auditing/proto/rule';
import { grpcClient, type GrpcClient } from '@auditing/service/grpc-client';
import { INSECURE } from '@auditing/service/grpc-tls';
import { start, type Started } from '@auditing/service/start';
import { pino } from 'pino';
import { ruleService } from '../service';

/** Folders of one rule service, and the service itself, as a process would run it. */
export interface RuleFolder {
  readonly config: string;
  readonly data: string;
  /** Writes a file of the configuration: whole, or, `inPlace`, as an editor without a temporary file does. */
  readonly write: (name: string, text: string, how?: 'inPlace') => Promise<void>;
  readonly start: (env?: Record<string, string>) => Promise<RunningRule>;
  readonly remove: () => Promise<void>;
}

/** A rule service that runs, and a client of it. */
export interface RunningRule {
  readonly started: Started;
  readonly client: GrpcClient<typeof RuleServiceService>['api'];
  readonly log: readonly Record<string, unknown>[];
  readonly stop: () => Promise<void>;
}

/** New, empty folders. */
export async function ruleFolder(): Promise<RuleFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'rule-'));
  const config = join(folder, 'config');
  const data = join(folder, 'data');
  await mkdir(config);
  const running: RunningRule[] = [];
  return {
    config,
    data,
    async write(name, text, how) {
      const path = join(config, name);
      await mkdir(dirname(path), { recursive: true });
      if (how === 'inPlace') return writeFile(path, text);
      await writeFile(join(folder, 'new'), text);
      await rename(join(folder, 'new'), path);
    },
    async start(env = {}) {
      const one = await launch({
        AUDITING_CONFIG_DIR: config,
        AUDITING_DATA_DIR: data,
        AUDITING_GRPC_LISTEN: '127.0.0.1:0',
        AUDITING_ADMIN_PORT: '0',
        ...env,
      });
      running.push(one);
      return one;
    },
    async remove() {
      for (const one of running) await one.stop();
      await rm(folder, { recursive: true });
    },
  };
}

async function launch(env: Record<string, string>): Promise<RunningRule> {
  const log: Record<string, unknown>[] = [];
  const logger = pino(
    { level: 'info' },
    { write: (line) => log.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const started = await start(ruleService, env, logger);
  const client = grpcClient(RuleServiceService, started.addresses['rule'] ?? '', {
    credentials: INSECURE,
  });
  return {
    started,
    client: client.api,
    log,
    async stop() {
      client.close();
      await started.stop();
    },
  };
}

/** A Rule resource with one rule, as YAML. */
export function ruleYaml(name: string, condition: string, type = 'archiving'): string {
  return `apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata:
  name: ${name}
  labels:
    type: ${type}
spec:
  rules:
    - name: one
      type: rule
      desc: for a test
      condition: ${condition}
      priority: WARNING
      enable: true
`;
}

/** The Webhook resource in force, as YAML. */
export function webhookYaml(spec = 'auditLevel: Request', name = 'kube-auditing-webhook'): string {
  return `apiVersion: auditing.kubesphere.io/v1alpha1
kind: Webhook
metadata:
  name: ${name}
spec:
  ${spec}
`;
}

/** Waits until something is so, at most `limitMs`; gives the time it took in milliseconds. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  limitMs = 30_000,
): Promise<number> {
  const begun = performance.now();
  while (!(await condition())) {
    if (performance.now() - begun > limitMs) throw new Error(`it was not so within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return performance.now() - begun;
}
