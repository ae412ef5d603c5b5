// Runs a command beside a real OpenSearch: `node tools/with-opensearch.mjs COMMAND…`. The command finds it by
// OPENSEARCH_URL. Where that is set already the command runs as it is.
//
// Needs Java 17 or later, and Maven for the first download. OPENSEARCH_CACHE is the folder for what is downloaded; by
// default it lies in the user's cache folder.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { freemem, homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const VERSION = '2.19.1';
/** The complete minimal distribution, without plug-ins. */
const ARTIFACT = `org.opensearch.distribution.integ-test-zip:opensearch:${VERSION}:zip`;
const SHA256 = 'af7152d8b7f6f1cee09d47276b32b70479fe6dd8cdbb61213f84eb7f8098b261';
const MAVEN_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';

/** Small, and quick to start; nothing here is about speed. */
const JAVA_OPTIONS = ['-Xms512m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const START_TIMEOUT_MS = 180_000;
/** Each index that is made, each document that is answered for, is synced to the disk: most of what the tests wait for. */
const MEMORY = '/dev/shm';
const MEMORY_MIN_BYTES = 2 ** 31;

const isRoot = process.getuid?.() === 0;
/** OpenSearch refuses to run as root: then it runs as the user without rights, who is in every system. */
const NOBODY = 65_534;

function cacheFolder() {
  if (process.env.OPENSEARCH_CACHE) return process.env.OPENSEARCH_CACHE;
  // Root's own cache folder is closed to others.
  if (isRoot) return '/var/cache/kube-auditing';
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kube-auditing');
}

/** Where OpenSearch is unpacked; it is downloaded if it is not there. */
async function distribution() {
  const cache = cacheFolder();
  const home = join(cache, `opensearch-${VERSION}`);
  if (existsSync(home)) return home;
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(cache, 'download-'));
  const maven = (goal) =>
    run('mvn', [
      '-q',
      '-B',
      `${MAVEN_PLUGIN}:${goal}`,
      `-Dartifact=${ARTIFACT}`,
      `-DoutputDirectory=${scratch}`,
      `-DmarkersDirectory=${scratch}`,
    ]);
  try {
    maven('copy');
    const digest = await sha256(join(scratch, `opensearch-${VERSION}.zip`));
    if (digest !== SHA256)
      throw new Error(`${ARTIFACT}: expected SHA-256 ${SHA256}, got ${digest}`);
    maven('unpack');
    renameSync(join(scratch, `opensearch-${VERSION}`), home);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return home;
}

async function sha256(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function run(program, args) {
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw new Error(`${program} is needed: ${error.message}`);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}`);
}

/** One node, on a free port of this machine, with its data in a folder of its own. */
async function start(home, folder) {
  const port = await freePort();
  const config = join(folder, 'config');
  cpSync(join(home, 'config'), config, { recursive: true });
  writeFileSync(
    join(config, 'opensearch.yml'),
    [
      'discovery.type: single-node',
      'network.host: 127.0.0.1',
      `http.port: ${port}`,
      // A free one of a range: nobody is to find it.
      'transport.port: 49300-49900',
      `path.data: ${join(folder, 'data')}`,
      `path.logs: ${join(folder, 'logs')}`,
      // Disks of test machines are often nearly full.
      'cluster.routing.allocation.disk.threshold_enabled: false',
    ].join('\n'),
  );
  for (const name of ['data', 'logs', 'tmp']) mkdirSync(join(folder, name));
  if (isRoot) run('chown', ['-R', String(NOBODY), folder]);
  const child = spawn(
    'java',
    [
      ...JAVA_OPTIONS,
      '-Djava.security.manager=allow',
      '-Djava.util.concurrent.ForkJoinPool.common.threadFactory=org.opensearch.secure_sm.SecuredForkJoinWorkerThreadFactory',
      `-Djava.io.tmpdir=${join(folder, 'tmp')}`,
      '-Dlog4j2.disable.jmx=true',
      '-Dopensearch.distribution.type=zip',
      `-Dopensearch.path.home=${home}`,
      `-Dopensearch.path.conf=${config}`,
      '-cp',
      join(home, 'lib', '*'),
      'org.opensearch.bootstrap.OpenSearch',
    ],
    {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      ...(isRoot && { uid: NOBODY, gid: NOBODY }),
    },
  );
  const ended = new Promise((resolve) => {
    child.once('exit', resolve);
    child.once('error', resolve);
  });
  const url = `http://127.0.0.1:${port}`;
  await ready(url, ended).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
  return {
    url,
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function ready(url, ended) {
  const giveUpAt = Date.now() + START_TIMEOUT_MS;
  let over = false;
  void ended.then(() => (over = true));
  while (!(await fetch(`${url}/_cluster/health`).catch(() => undefined))?.ok) {
    if (over) throw new Error('OpenSearch ended before it was ready; it needs Java 17 or later');
    if (Date.now() > giveUpAt) throw new Error('OpenSearch was not ready in time');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Where its data may lie: in memory, if there is enough of it, for nothing is kept. */
function scratchRoot() {
  if (!existsSync(MEMORY)) return tmpdir();
  const { bavail, bsize } = statfsSync(MEMORY);
  return Math.min(bavail * bsize, freemem()) >= MEMORY_MIN_BYTES ? MEMORY : tmpdir();
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function runCommand([program, ...args], env) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...env } });
    // Ctrl-C reaches the command too: it ends, and then what it used.
    process.on('SIGINT', () => undefined);
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    child.once('error', (error) => {
      console.error(String(error));
      resolve(1);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

const command = process.argv.slice(2);
if (command.length === 0) {
  console.error('usage: node tools/with-opensearch.mjs COMMAND…');
  process.exit(2);
}
if (process.env.OPENSEARCH_URL) process.exit(await runCommand(command, {}));
const folder = mkdtempSync(join(scratchRoot(), 'opensearch-'));
try {
  const opensearch = await start(await distribution(), folder);
  console.error(`OpenSearch ${VERSION} runs at ${opensearch.url}`);
  process.exitCode = await runCommand(command, { OPENSEARCH_URL: opensearch.url });
  await opensearch.stop();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
