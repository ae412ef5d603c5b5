// The textbook design, to compare with: a typed protobuf message for each event, unary calls, JSON at each hop, a log of
// JSON lines. Three processes: `gateway`, `rule`, `archive`. It shares our rule engine, so what differs is how events
// travel. It keeps less than we do: no spool, no keys, no index, no alerts.
import { open, readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { credentials, Client, Server, ServerCredentials } from '@grpc/grpc-js';
import Koa from 'koa';
import { parseAllDocuments } from 'yaml';
import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { SearchResponse } from '@auditing/proto/archive';
import { AuditEvent, Source, Verdicts } from '@auditing/proto/event';
import { buildRuleSet } from '@auditing/rule-engine/rule-set';

const MAX_MESSAGE = {
  'grpc.max_receive_message_length': 64 * 2 ** 20,
  'grpc.max_send_message_length': 64 * 2 ** 20,
};
/** Batches of typed events: SearchResponse is one message that holds just that. */
const METHODS = {
  evaluate: method('/naive.Rule/Evaluate', SearchResponse, Verdicts),
  append: method('/naive.Archive/Append', SearchResponse, Verdicts),
};
const ROLES = { gateway, rule, archive };

const [role, ...args] = process.argv.slice(2);
process.on('SIGTERM', () => process.exit());
console.log(`ready ${JSON.stringify(await ROLES[role](...args))}`);

async function gateway(tlsFolder, ruleAddress, archiveAddress) {
  const evaluate = caller(ruleAddress, METHODS.evaluate);
  const append = caller(archiveAddress, METHODS.append);
  const app = new Koa();
  app.use(async (ctx) => {
    const chunks = [];
    for await (const chunk of ctx.req) chunks.push(chunk);
    const { items } = JSON.parse(Buffer.concat(chunks).toString());
    const events = items.map(typed);
    const { verdicts } = await evaluate({ events });
    const kept = verdicts.map(({ event, findings }) => ({
      ...events[event],
      rules: findings.map(({ message }) => message),
    }));
    if (kept.length > 0) await append({ events: kept });
    ctx.body = '""';
  });
  const server = createServer(
    {
      cert: await readFile(join(tlsFolder, 'tls.crt')),
      key: await readFile(join(tlsFolder, 'tls.key')),
      ALPNProtocols: ['http/1.1'],
    },
    app.callback(),
  );
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { webhook: `https://127.0.0.1:${server.address().port}/` };
}

async function rule(configFolder) {
  const documents = async (file) =>
    parseAllDocuments(await readFile(join(configFolder, file), 'utf8')).map((one) => one.toJSON());
  const [webhook] = await documents('webhook.yaml');
  const files = ['alerting-rule', 'archiving-rule', 'workload-rule'];
  const rules = await Promise.all(files.map((name) => documents(`rules/${name}.yaml`)));
  const ruleSet = buildRuleSet({ rules: rules.flat(), webhook });
  const address = await serve(METHODS.evaluate, async ({ events }) => {
    const verdicts = events.flatMap(({ raw }, event) => {
      const verdict = ruleSet.evaluate(decodeEvent(raw, Source.KUBERNETES));
      if (!verdict) return [];
      const findings = verdict.findings.map((found) => ({
        ...found,
        message: ruleSet.ruleNames[found.rule].name,
      }));
      return [{ event, findings, strip: 0, workspace: '' }];
    });
    return Verdicts.fromPartial({ verdicts });
  });
  return { address };
}

async function archive(folder) {
  const file = await open(join(folder, 'events.ndjson'), 'a');
  const address = await serve(METHODS.append, async ({ events }) => {
    const lines = events.map(({ raw, rules, receivedAt }) =>
      JSON.stringify({ ...JSON.parse(raw.toString()), rules, receivedAt: String(receivedAt) }),
    );
    await file.appendFile(`${lines.join('\n')}\n`);
    await file.datasync();
    return Verdicts.create();
  });
  return { address };
}

/** The message for an event, out of its parsed JSON; what has no field of its own goes along as JSON. */
function typed(event) {
  return AuditEvent.fromPartial({
    source: Source.KUBERNETES,
    level: event.level,
    auditId: event.auditID,
    stage: event.stage,
    requestUri: event.requestURI,
    verb: event.verb,
    user: { username: event.user?.username, uid: event.user?.uid, groups: event.user?.groups },
    sourceIps: event.sourceIPs,
    userAgent: event.userAgent,
    objectRef: event.objectRef && {
      resource: event.objectRef.resource,
      namespace: event.objectRef.namespace,
      name: event.objectRef.name,
      apiGroup: event.objectRef.apiGroup,
      apiVersion: event.objectRef.apiVersion,
      subresource: event.objectRef.subresource,
    },
    responseStatus: event.responseStatus && {
      code: event.responseStatus.code,
      status: event.responseStatus.status,
    },
    annotations: event.annotations,
    raw: Buffer.from(JSON.stringify(event)),
  });
}

function method(path, request, response) {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message) => Buffer.from(request.encode(message).finish()),
    requestDeserialize: (bytes) => request.decode(bytes),
    responseSerialize: (message) => Buffer.from(response.encode(message).finish()),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

async function serve(definition, work) {
  const server = new Server(MAX_MESSAGE);
  server.addService(
    { work: definition },
    {
      work: (call, callback) =>
        void work(call.request).then((response) => callback(null, response), callback),
    },
  );
  const port = await new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return `127.0.0.1:${port}`;
}

function caller(address, { path, requestSerialize, responseDeserialize }) {
  const client = new Client(address, credentials.createInsecure(), MAX_MESSAGE);
  return (message) =>
    new Promise((resolve, reject) =>
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { nextCursor: '', total: 0n, ...message },
        (error, response) => (error ? reject(error) : resolve(response)),
      ),
    );
}
