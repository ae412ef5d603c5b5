// Posts recorded bodies to a running gateway and says how each was answered.
//
//   npm run samples -- [--to URL] [--from FOLDER] [--repeat N] [--at-once N] [--ca FILE] [--token TOKEN]
//
// FOLDER is searched for *.json and *.json.gz, also below it. The gateway's self-signed certificate is trusted if
// its CA lies where `npm start` puts it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

/** How long one answer may take; the gateway promises 2 s. */
const ANSWER_TIMEOUT_MS = 30_000;
const BAR_WIDTH = 30;

const { values: options } = parseArgs({
  options: {
    to: { type: 'string', default: 'https://127.0.0.1:6443/audit/webhook/event' },
    from: { type: 'string', default: 'samples' },
    repeat: { type: 'string', default: '1' },
    'at-once': { type: 'string', default: '4' },
    ca: { type: 'string', default: 'data/gateway/tls/ca.crt' },
    token: { type: 'string' },
  },
});

const repeat = positive('--repeat', options.repeat);
const atOnce = positive('--at-once', options['at-once']);
const target = new URL(options.to);
const agent = new (target.protocol === 'https:' ? https : http).Agent({
  keepAlive: true,
  maxSockets: atOnce,
  ...(existsSync(options.ca) && { ca: readFileSync(options.ca) }),
});

const files = findBodies(options.from);
if (files.length === 0)
  stop(`no *.json or *.json.gz below ${options.from}; name a folder with --from`);

const total = files.length * repeat;
const answers = new Map();
let done = 0;
let bytes = 0;
const startedAt = performance.now();
const queue = Array.from({ length: repeat }, () => files).flat();
await Promise.all(Array.from({ length: atOnce }, work));
agent.destroy();
report();

async function work() {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const text = readFileSync(file);
    const body = file.endsWith('.gz') ? gunzipSync(text) : text;
    const answer = await post(body).catch((error) => `no answer: ${error.code ?? error.message}`);
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
    done += 1;
    bytes += body.length;
    progress();
  }
}

function post(body) {
  return new Promise((resolve, reject) => {
    const request = (target.protocol === 'https:' ? https : http).request(target, {
      method: 'POST',
      agent,
      headers: {
        'Content-Type': 'application/json',
        'Content-Length': body.length,
        ...(options.token && { Authorization: `Bearer ${options.token}` }),
      },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    request.once('error', reject);
    request.once('response', (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString().slice(0, 200);
        resolve(response.statusCode === 200 ? '200' : `${response.statusCode} ${text}`);
      });
    });
    request.end(body);
  });
}

function progress() {
  if (!process.stderr.isTTY) return;
  const filled = Math.round((done / total) * BAR_WIDTH);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
  const seconds = (performance.now() - startedAt) / 1000;
  process.stderr.write(
    `\r${bar} ${done}/${total} bodies, ${(bytes / 1e6).toFixed(1)} MB, ${(done / seconds).toFixed(0)}/s `,
  );
}

function report() {
  const seconds = (performance.now() - startedAt) / 1000;
  if (process.stderr.isTTY) process.stderr.write('\n');
  console.log(
    `${total} bodies (${(bytes / 1e6).toFixed(1)} MB) sent to ${target.href} in ${seconds.toFixed(1)} s`,
  );
  for (const [answer, count] of answers) console.log(`${String(count).padStart(7)} × ${answer}`);
  if (answers.get('200') !== total) {
    if ([...answers.keys()].some((answer) => answer.includes('ECONNREFUSED')))
      console.log('Nothing listens there: start the gateway with `npm start`.');
    process.exitCode = 1;
  }
}

function findBodies(folder) {
  if (!existsSync(folder)) stop(`${folder} is not there; name a folder with --from`);
  return readdirSync(folder, { recursive: true })
    .filter((name) => /\.json(\.gz)?$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

function positive(name, text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    stop(`${name}: expected a whole number from 1, got "${text}"`);
  return value;
}

function stop(message) {
  console.error(message);
  process.exit(2);
}
