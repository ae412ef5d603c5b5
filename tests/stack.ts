import { join } from 'node:path';
import { startApp, type AppName, type AppProcess } from './processes';

/** The system as its users see it: where to send, where to ask. Addresses change when a process starts anew. */
export interface Stack {
  /** What its processes are called: what can be killed. */
  readonly members: readonly AppName[];
  address(name: 'webhook' | 'api' | 'rule' | 'archive' | 'alert' | 'admin'): string;
  process(name: AppName): AppProcess;
  /** SIGKILL and a new start, on the same data and the same ports. */
  crash(name: AppName): Promise<void>;
  stop(): Promise<void>;
}

const START_TRIES_MAX = 30;

/** All in one process. */
export async function startStandalone(
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Stack> {
  return await startStack({ dataDir, env, members: ['standalone'] });
}

/** Four processes that talk gRPC. */
export async function startServices(
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Stack> {
  return await startStack({ dataDir, env, members: ['rule', 'archive', 'alert', 'gateway'] });
}

interface StackOptions {
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly members: readonly AppName[];
}

async function startStack({ dataDir, env, members }: StackOptions): Promise<Stack> {
  const running = new Map<AppName, AppProcess>();
  const addresses: Record<string, string> = {};

  const start = async (name: AppName): Promise<void> => {
    const app = await startApp(name, {
      AUDITING_DATA_DIR: join(dataDir, 'data'),
      ...ports(name, addresses),
      ...env,
    });
    running.set(name, app);
    const { admin, ...rest } = app.addresses;
    Object.assign(addresses, rest, admin && { [`${name}:admin`]: admin });
  };
  for (const name of members) await start(name);

  /** On the ports it had: somebody else may have got one meanwhile, for a connection of theirs. */
  const startAgain = async (name: AppName): Promise<void> => {
    for (let tries = 1; ; tries += 1) {
      try {
        await start(name);
        return;
      } catch (error) {
        if (tries === START_TRIES_MAX || !/EADDRINUSE|cannot listen/.test(String(error)))
          throw error;
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
  };

  const process = (name: AppName): AppProcess => {
    const app = running.get(name);
    if (!app) throw new Error(`${name} does not run`);
    return app;
  };
  return {
    members,
    address: (name) => {
      const found =
        name === 'admin'
          ? (addresses['standalone:admin'] ?? addresses['gateway:admin'])
          : addresses[name];
      if (found === undefined) throw new Error(`no address of ${name}`);
      return found;
    },
    process,
    crash: async (name) => {
      await process(name).kill();
      await startAgain(name);
    },
    stop: async () => {
      for (const name of [...members].reverse()) await running.get(name)?.stop();
    },
  };
}

/** Settings that give a member the ports it had before, and the addresses of those it calls. */
function ports(name: AppName, known: Readonly<Record<string, string>>): Record<string, string> {
  const portOf = (address: string | undefined): string =>
    address === undefined ? '0' : new URL(address).port;
  const admin = known[`${name}:admin`];
  const own = name === 'standalone' || name === 'gateway' ? undefined : known[name];
  const calls = name === 'gateway' || name === 'alert';
  return {
    AUDITING_ADMIN_PORT: portOf(admin),
    ...(own && { AUDITING_GRPC_LISTEN: own }),
    ...((name === 'gateway' || name === 'standalone') && {
      AUDITING_WEBHOOK_PORT: portOf(known['webhook']),
      AUDITING_API_PORT: portOf(known['api']),
    }),
    ...(name === 'standalone' && known['rule'] && { AUDITING_GRPC_LISTEN: known['rule'] }),
    ...(calls && known['rule'] && { AUDITING_RULE_ADDRESS: known['rule'] }),
    ...(name === 'gateway' &&
      known['archive'] && {
        AUDITING_ARCHIVE_ADDRESS: known['archive'],
      }),
    ...(name === 'gateway' && known['alert'] && { AUDITING_ALERT_ADDRESS: known['alert'] }),
  };
}
