// Checks rules and asks what they say of an event. Run it with
//   npm run example -- rules list                 the rules in force
//   npm run example -- rules check FILE.yaml      what is wrong with Rule resources, without loading them
//   npm run example -- rules evaluate EVENT.json  what the rules in force say of one event
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { credentials } from '@grpc/grpc-js';
import { Priority } from '@auditing/proto/event';
import {
  EvaluateRequest,
  RuleServiceClient,
  Severity,
  type CheckResponse,
  type EvaluateResponse,
  type ListRulesResponse,
} from '@auditing/proto/rule';

/** Where the rule service listens: `rule` of the ready line. */
const DEFAULT_ADDRESS = '127.0.0.1:9081';

export async function main(
  [command = 'list', file = '']: readonly string[],
  print: (line: string) => void,
  address = DEFAULT_ADDRESS,
): Promise<void> {
  const rules = new RuleServiceClient(address, credentials.createInsecure());
  try {
    if (command === 'list') await list(rules, print);
    else if (command === 'check') await check(rules, await readFile(file, 'utf8'), print);
    else if (command === 'evaluate') await evaluate(rules, await readFile(file), print);
    else throw new Error(`expected list, check or evaluate, got "${command}"`);
  } finally {
    rules.close();
  }
}

async function list(client: RuleServiceClient, print: (line: string) => void): Promise<void> {
  const call = promisify<object, ListRulesResponse>(client.listRules.bind(client));
  const { rules } = await call({});
  for (const { name, priority, active, desc } of rules)
    print(`${active ? 'on ' : 'off'} ${Priority[priority].padEnd(11)} ${name}: ${desc}`);
}

async function check(
  client: RuleServiceClient,
  yaml: string,
  print: (line: string) => void,
): Promise<void> {
  const call = promisify<{ yaml: string }, CheckResponse>(client.check.bind(client));
  const { diagnostics, ruleCount } = await call({ yaml });
  for (const { severity, resource, path, line, column, message, excerpt } of diagnostics)
    print(`${Severity[severity]} ${resource} ${path} ${line}:${column} ${message}\n${excerpt}`);
  print(`${ruleCount} well-formed rules, ${diagnostics.length} remarks`);
}

/**
 * The gateway sends columns of whole batches, because that is fast; a tool sends whole events as documents and leaves
 * the projection version empty.
 */
async function evaluate(
  client: RuleServiceClient,
  json: Buffer,
  print: (line: string) => void,
): Promise<void> {
  const call = promisify<EvaluateRequest, EvaluateResponse>(client.evaluate.bind(client));
  const { verdicts } = await call(
    EvaluateRequest.fromPartial({ batch: { eventCount: 1 }, documents: [{ event: 0, json }] }),
  );
  const [verdict] = verdicts?.verdicts ?? [];
  if (!verdict) print('ignored: no rule matches');
  for (const { rule, alert, message } of verdict?.findings ?? [])
    print(`${alert ? 'alert  ' : 'archive'} ${verdicts?.rules[rule]?.name ?? ''} ${message}`);
}
