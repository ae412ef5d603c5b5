// Starts the four services as four processes that talk gRPC over loopback: `npm run start:services`.
// Settings of the environment reach all of them; Ctrl-C ends the gateway first, then the others.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** The gateway last: it wants the others' addresses. The order of stopping is the reverse. */
const SERVICES = ['rule', 'archive', 'alert', 'gateway'];
const READY_TIMEOUT_MS = 30_000;

const running = [];
const addresses = {};
let stopping = false;

process.on('SIGINT', stop);
process.on('SIGTERM', stop);

for (const name of SERVICES) {
  if (stopping) break;
  const ready = await start(name);
  const { admin, ...rest } = ready;
  Object.assign(addresses, rest, { [`${name}Admin`]: admin });
}
if (!stopping) console.log(`ready ${JSON.stringify(addresses)}`);

function start(name) {
  const child = spawn(process.execPath, [`apps/${name}/dist/main.js`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Its own group: Ctrl-C in a terminal reaches this process alone, which stops them in order.
    detached: true,
    env: {
      ...process.env,
      ...(addresses.rule && { AUDITING_RULE_ADDRESS: addresses.rule }),
      ...(addresses.archive && { AUDITING_ARCHIVE_ADDRESS: addresses.archive }),
      ...(addresses.alert && { AUDITING_ALERT_ADDRESS: addresses.alert }),
    },
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  running.push({ name, child, ended });
  void ended.then((code) => {
    if (stopping) return;
    console.error(`${name} ended with code ${code}; stopping the others`);
    process.exitCode = 1;
    void stop();
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${name} was not ready in time`)),
      READY_TIMEOUT_MS,
    );
    void ended.then(() => clearTimeout(timer));
    createInterface(child.stdout).on('line', (line) => {
      if (!line.startsWith('ready ')) return console.log(line);
      clearTimeout(timer);
      resolve(JSON.parse(line.slice('ready '.length)));
    });
  });
}

async function stop() {
  if (stopping) return;
  stopping = true;
  for (const { child, ended } of running.reverse()) {
    if (child.exitCode === null) child.kill('SIGTERM');
    await ended;
  }
}
