import { start, type Started } from '@auditing/service/start';
import { pino } from 'pino';
import { operatorService } from '../service';

/** An operator that runs as its process would. */
export interface RunningOperator {
  readonly started: Started;
  readonly log: readonly Record<string, unknown>[];
}

/** Starts an operator of a cluster; its admission webhook is reached at `https://localhost:PORT`. */
export async function startOperator(
  kubeconfig: string,
  { port, ...env }: { readonly port: number } & Record<string, string | number>,
): Promise<RunningOperator> {
  const log: Record<string, unknown>[] = [];
  const logger = pino(
    { level: 'info' },
    { write: (line) => log.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const started = await start(
    operatorService,
    {
      AUDITING_KUBECONFIG: kubeconfig,
      AUDITING_ADMISSION_LISTEN: `127.0.0.1:${port}`,
      AUDITING_ADMISSION_URL: `https://localhost:${port}`,
      AUDITING_ADMIN_PORT: '0',
      ...(env as Record<string, string>),
    },
    logger,
  );
  return { started, log };
}
