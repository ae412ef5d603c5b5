import { isDeepStrictEqual } from 'node:util';
import { fact, type Fact } from '@auditing/kubernetes/dated-conditions';
import type { AlertServiceService, ReceiverStatus } from '@auditing/proto/alert';
import type { Api } from '@auditing/service/rpc';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';

/** People look at the status; what must wake somebody up is an alert of Prometheus. */
const ASK_EVERY_MS = 15_000;
/** Of an answer the alert service tells 100 characters; errors of TLS and of several addresses can be longer. */
const MAX_MESSAGE = 300;

/** A receiver as the status of the Webhook resource shows it. */
export interface ReceiverHealth {
  readonly name: string;
  readonly type: string;
  readonly state: 'Healthy' | 'Failing';
  readonly message?: string;
}

/** How the receivers fare, or why nobody knows. */
export type ReceiversHealth = readonly ReceiverHealth[] | { readonly unknown: string };

/** What asking needs. */
export interface ReceiverHealthOptions {
  readonly alert: Pick<Api<typeof AlertServiceService>, 'listReceivers'>;
  readonly log: Logger;
  /** Told what has changed. */
  readonly onChange: (health: ReceiversHealth) => void;
  /** Milliseconds between questions; for tests. */
  readonly everyMs?: number;
}

/** Asks the alert service how its receivers fare, until the signal aborts. */
export async function followReceivers(
  { alert, log, onChange, everyMs = ASK_EVERY_MS }: ReceiverHealthOptions,
  signal: AbortSignal,
): Promise<void> {
  let last: ReceiversHealth | undefined;
  for (;;) {
    const now = await ask(alert, signal);
    if (signal.aborted) return;
    if (!isDeepStrictEqual(now, last)) {
      log.info({ receivers: now }, 'receivers fare differently');
      onChange(now);
      last = now;
    }
    await wait(everyMs, signal).catch(() => undefined);
  }
}

async function ask(
  alert: ReceiverHealthOptions['alert'],
  signal: AbortSignal,
): Promise<ReceiversHealth> {
  try {
    const { receivers } = await alert.listReceivers({}, signal);
    return receivers.map(healthOf);
  } catch (error) {
    return { unknown: cut(error instanceof Error ? error.message : String(error)) };
  }
}

function healthOf({ name, type, problem, lastError }: ReceiverStatus): ReceiverHealth {
  const gone = type === '' ? 'is not in the resource any more, and alerts still wait for it' : '';
  const message = problem || lastError || gone;
  if (message === '') return { name, type, state: 'Healthy' };
  return { name, type, state: 'Failing', message: cut(message) };
}

function cut(text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
}

/** What the condition says. */
export function receiversHealthy(health: ReceiversHealth): Fact {
  const type = 'ReceiversHealthy';
  if ('unknown' in health) {
    const message = `the alert service does not say: ${health.unknown}`;
    return { type, status: 'Unknown', reason: 'NotKnown', message };
  }
  const failing = health.filter(({ state }) => state === 'Failing');
  if (failing.length > 0) {
    const words = failing.map(({ name, message = '' }) => `${name}: ${message}`).join(' | ');
    return fact(type, false, ['Failing', words]);
  }
  return health.length === 0
    ? fact(type, true, ['NoReceivers', 'alerts are kept and sent nowhere: there is no receiver'])
    : fact(type, true, [
        'AllHealthy',
        `${health.length} of ${health.length} receivers take alerts`,
      ]);
}
