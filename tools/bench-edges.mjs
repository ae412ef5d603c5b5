// Where the time goes: each edge of the data path by itself, with the very code of the product, in this process. What a
// system costs is more than the sum: garbage collection, promises, caches.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { EVENTS_PER_BODY, workloads } from './bench-bodies.mjs';
import { cpuOfAsync, shown, spread } from './bench-figures.mjs';
import { Sender, closedLoop } from './bench-load.mjs';
import { cpuUs, startProcess } from './bench-process.mjs';

const MODULES = {
  decodeBody: '@auditing/audit-event/decode-body',
  compressBlock: '@auditing/audit-event/block',
  eventKeys: '@auditing/audit-event/event-key',
  ARCHIVE_FIELDS: '@auditing/audit-event/columns',
  buildColumns: '@auditing/audit-event/columns',
  openJournal: '@auditing/journal/open-journal',
  buildRuleSet: '@auditing/rule-engine/rule-set',
  selfSigned: '@auditing/gateway/tls-self-signed',
  SpooledPart: '@auditing/proto/spool',
  Decision: '@auditing/proto/spool',
  KeptBatch: '@auditing/proto/archive',
  AppendResponse: '@auditing/proto/archive',
  ArchiveServiceService: '@auditing/proto/archive',
  SegmentIndex: '@auditing/archive/embedded/segment-index',
  grpcClient: '@auditing/service/grpc-client',
  serveGrpc: '@auditing/service/grpc-server',
  grpcService: '@auditing/service/grpc-service',
  INSECURE: '@auditing/service/grpc-tls',
  streamCalls: '@auditing/service/stream-call',
  answerStream: '@auditing/service/stream-call',
  testRuntime: '@auditing/service/testing/runtime',
  admitAll: '@auditing/service/testing/admit-all',
};

const FULL = { rounds: 15, bodies: 10 };
const QUICK = { rounds: 3, bodies: 6 };

/** What each edge is. The order is that of the data path. */
const EDGES = {
  tls: 'TLS, HTTP, the body in one piece (a process of its own)',
  split_and_parse: 'events cut out of the body and parsed',
  body_hash: 'SHA-256 of the body, by which a copy is known',
  compress: 'one zstd block of the events',
  spool: 'record of the spool: encoded, checksummed, written, synced',
  rules: 'the shipped rules',
  decision: 'the decision: encoded, written, synced',
  key: 'SHA-256 of every event',
  columns: 'dictionary-coded columns for the index',
  wire: 'the batch over a gRPC stream and its answer, both sides',
  log: 'record of the log: encoded, checksummed, written, synced',
  index: 'its rows in the index in memory',
};

/** Measures each edge turn about with one JSON.parse of the same bodies. */
export async function benchEdges({ root, quick, figures, load, print }) {
  const modules = await load(MODULES);
  const scratch = mkdtempSync(join(tmpdir(), 'bench-edges-'));
  const runtime = modules.testRuntime();
  const parts = await openParts(modules, { root, scratch, runtime });
  const { rounds, bodies } = quick ? QUICK : FULL;
  const { kept } = workloads(root);
  const series = Object.fromEntries(Object.keys({ parse: '', ...EDGES }).map((one) => [one, []]));
  try {
    for (let i = -1; i < rounds; i += 1) {
      const one = await round(modules, parts, { workload: kept, count: bodies });
      // The first warms up.
      if (i >= 0) for (const [edge, ms] of Object.entries(one)) series[edge].push(ms);
    }
  } finally {
    await parts.close();
    await runtime.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
  const perEvent = (ms) => (ms * 1000) / (bodies * EVENTS_PER_BODY);
  print(`\nedges of the data path, events of ${kept.eventBytes.toFixed(0)} bytes, all kept`);
  print('                     CPU us/event           of JSON.parse');
  for (const edge of Object.keys(EDGES)) {
    const us = series[edge].map(perEvent);
    const ratios = series[edge].map((ms, place) => ms / series.parse[place]);
    figures.add(`edge_${edge}_us`, us);
    figures.add(`edge_${edge}_of_parse`, ratios);
    print(
      `${edge.padEnd(16)} ${shown(spread(us)).padStart(20)} ${shown(spread(ratios)).padStart(20)}  ${EDGES[edge]}`,
    );
  }
  figures.add('json_parse_us', series.parse.map(perEvent));
  print(`JSON.parse       ${shown(spread(series.parse.map(perEvent))).padStart(20)}`);
}

/** What edges work with: real files, a real socket, the shipped rules. */
async function openParts(modules, { root, scratch, runtime }) {
  const { openJournal, buildRuleSet, selfSigned, SegmentIndex } = modules;
  const journal = (name) => openJournal({ directory: join(scratch, name) });
  const document = (file) => parse(readFileSync(join(root, 'config', file), 'utf8'));
  const tlsFolder = join(scratch, 'tls');
  await selfSigned({ directory: tlsFolder, hosts: ['localhost'], now: new Date() });
  const floor = await startProcess({ root, script: 'tools/bench-floor.mjs', args: [tlsFolder] });
  const sender = new Sender(floor.addresses.webhook.replace('/parse', '/read'), 4);
  const spool = await journal('spool');
  const decisions = await journal('decisions');
  const log = await journal('log');
  return {
    floor,
    sender,
    spool,
    decisions,
    log,
    index: new SegmentIndex(0),
    ruleSet: buildRuleSet({
      rules: ['alerting', 'archiving', 'workload'].map((one) => document(`rules/${one}-rule.yaml`)),
      webhook: document('webhook.yaml'),
    }),
    ...(await openWire(modules, runtime)),
    async close() {
      sender.close();
      await Promise.all([floor.stop(), spool.close(), decisions.close(), log.close()]);
    },
  };
}

/** A client and a server that takes every batch and does nothing with it. */
async function openWire(modules, runtime) {
  const { serveGrpc, grpcService, grpcClient, INSECURE, streamCalls, answerStream } = modules;
  const { ArchiveServiceService, AppendResponse } = modules;
  const never = new AbortController().signal;
  const append = ({ call }) => Promise.resolve(AppendResponse.create({ call }));
  const options = { response: AppendResponse, window: 32, log: runtime.log };
  const api = Object.fromEntries(Object.keys(ArchiveServiceService).map((name) => [name, append]));
  api.appendStream = answerStream(append, options);
  const address = await serveGrpc(runtime, {
    listen: '127.0.0.1:0',
    credentials: INSECURE,
    services: [grpcService(ArchiveServiceService, api)],
    maxConnectionAgeMs: 0,
    admit: modules.admitAll,
  });
  const client = grpcClient(ArchiveServiceService, address, { credentials: INSECURE });
  runtime.closeLater('client', client.close);
  const calls = streamCalls((requests, signal) => client.api.appendStream(requests, signal), {
    window: 64,
    deadlineMs: 60_000,
  });
  return { send: (kept) => calls.call({ call: 0, kept, settledBelow: 0n }, never) };
}

/** CPU milliseconds of each edge, for so many bodies. */
async function round(modules, parts, { workload, count }) {
  const { decodeBody, compressBlock, eventKeys, buildColumns, ARCHIVE_FIELDS } = modules;
  const bodies = Array.from({ length: count }, () => workload.next());
  const batches = bodies.map(() => ({}));
  const used = {};
  const measure = async (edge, work) => {
    used[edge] = await cpuOfAsync(async () => {
      await Promise.all(batches.map((batch, at) => work(batch, bodies[at])));
    });
  };
  used.tls = await readOverTls(parts, workload, count);
  await measure('parse', (_, body) => JSON.parse(body.toString()));
  await measure('split_and_parse', async (batch, body) => {
    batch.events = (await decodeBody(body)).events;
  });
  await measure('body_hash', (batch, body) => {
    batch.hash = createHash('sha256').update(body).digest();
  });
  await measure('compress', async (batch) => {
    batch.block = await compressBlock(batch.events.map(({ bytes }) => bytes));
  });
  await measure('spool', (batch) => parts.spool.append([spooled(modules, batch)]));
  await measure('rules', (batch) => {
    batch.verdicts = verdictsOf(parts.ruleSet, batch.events);
  });
  await measure('decision', (batch) => parts.decisions.append([decision(modules, batch)]));
  await measure('key', (batch) => {
    batch.keys = eventKeys(batch.events.map(({ bytes }) => bytes));
  });
  await measure('columns', (batch) => {
    batch.times = batch.events.map(({ requestReceivedUs, stageUs }) => [
      requestReceivedUs,
      stageUs,
    ]);
    batch.columns = buildColumns(batch.events, ARCHIVE_FIELDS);
  });
  const kept = batches.map((batch) => keptOf(modules, batch));
  await measure('wire', (batch) => parts.send(kept[batches.indexOf(batch)]));
  await measure('log', async (batch) => {
    const data = modules.KeptBatch.encode(kept[batches.indexOf(batch)]).finish();
    await parts.log.append([data]);
  });
  await measure('index', (batch) => parts.index.add(0, kept[batches.indexOf(batch)]));
  if (parts.index.rowCount > 250_000) parts.index = new modules.SegmentIndex(0);
  return used;
}

async function readOverTls({ floor, sender }, workload, count) {
  const before = await cpuUs([floor]);
  await closedLoop(sender, workload, { count, connections: 4 });
  return ((await cpuUs([floor])) - before) / 1000;
}

const ID = { epoch: '0123456789abcdef', sequence: 1n, part: 0, firstEvent: 0, eventCount: 0 };

function spooled({ SpooledPart }, { events, block, hash }) {
  const part = {
    batch: {
      id: ID,
      receivedAtUs: Date.now() * 1000,
      eventCount: events.length,
      block,
      sliceBytes: events.map(({ bytes }) => bytes.length),
    },
    bodyHash: hash,
    partCount: 1,
    listSource: 1,
    eventsBefore: 0,
    bodyEnd: true,
  };
  return SpooledPart.encode(SpooledPart.fromPartial(part)).finish();
}

function verdictsOf(ruleSet, events) {
  const verdicts = events.flatMap((event, place) => {
    const verdict = ruleSet.evaluate(event);
    return verdict ? [{ event: place, findings: verdict.findings, strip: 0, workspace: '' }] : [];
  });
  const { version: ruleSetVersion, ruleNames: rules } = ruleSet;
  return { ruleSetVersion, rules, verdicts, ignoredCount: events.length - verdicts.length };
}

function decision({ Decision }, { verdicts }) {
  return Decision.encode(Decision.fromPartial({ id: ID, verdicts })).finish();
}

function keptOf({ KeptBatch }, { events, block, keys, times, columns, verdicts }) {
  const batch = {
    id: ID,
    receivedAtUs: Date.now() * 1000,
    eventCount: events.length,
    block,
    sliceBytes: events.map(({ bytes }) => bytes.length),
    keys,
    requestReceivedUs: times.map(([received]) => received),
    stageUs: times.map(([, staged]) => staged),
    columns,
  };
  const positions = events.map((_, place) => place);
  return KeptBatch.fromPartial({ batch, positions, verdicts });
}
