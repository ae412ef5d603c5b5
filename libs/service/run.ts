import { setFlagsFromString } from 'node:v8';
import { createLog } from './log';
import type { Service } from './service';
import { ConfigError } from './settings';
import { start, type Started } from './start';

/** Below the 30 s that Kubernetes gives a pod to end, so that what did not stop in time is still logged. */
const STOP_DEADLINE_MS = 25_000;

/**
 * V8 makes objects old from birth where nearly all of those made before lived long. At the start, when the room for young ones is
 * still small, that is so for everything of the first batches, and it is never asked again: each batch then left half of itself,
 * and all that it points to, to the collector of old objects.
 */
const ALL_BORN_YOUNG = '--no-allocation-site-pretenuring';

/**
 * V8 collects old objects when they and the bytes outside of its heap (bodies, blocks, whatever TLS reads) have together grown
 * by so many percent of the old objects. By its own reckoning, for a heap of some 40 MB, bodies that were long done with set it
 * off twice a second under load, and each time it marked all there is to find next to nothing.
 */
const COLLECT_OLD_SELDOM = '--heap-growing-percent=100';

/**
 * Runs an app as this process: starts it, prints the ready line, stops it on SIGTERM or SIGINT. A second signal
 * ends the process at once.
 *
 * Exit code 0 after a clean stop, 1 if it could not start or did not stop in time. No other file of the system reads
 * the environment, listens to signals or ends the process.
 */
export async function run<Config>(service: Service<Config>): Promise<void> {
  setFlagsFromString(ALL_BORN_YOUNG);
  setFlagsFromString(COLLECT_OLD_SELDOM);
  let started: Started;
  try {
    started = await start(service, process.env);
  } catch (error) {
    if (error instanceof ConfigError) process.stderr.write(`${service.name}: ${error.message}\n`);
    else createLog(service.name, { level: 'fatal' }).fatal({ err: error }, 'start failed');
    process.exit(1);
  }
  let signalCount = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signalCount += 1;
    if (signalCount > 1) process.exit(1);
    stop(started, signal);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.stdout.write(`ready ${JSON.stringify(started.addresses)}\n`);
}

function stop(started: Started, signal: NodeJS.Signals): void {
  started.log.info({ signal }, 'signal');
  setTimeout(() => {
    started.log.fatal({ deadlineMs: STOP_DEADLINE_MS }, 'stop did not finish in time');
    process.exit(1);
  }, STOP_DEADLINE_MS).unref();
  // Not left to an empty event loop: a handle that some library forgot must not keep a stopped process alive.
  void started.stop().then(() => process.exit(0));
}
