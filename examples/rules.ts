// Checks rules and asks what they say of an event. Run it with
//   npm run example -- rules list                 the rules in force
//   npm run example -- rules check FILE.yaml      what is wrong with Rule resources, without loading them
//   npm run example -- rules evaluate EVENT.json  what the rules in force say of one event
//   npm run example -- rules explain RULE EVENT.json  why a rule matches an event, or does not
//   npm run example -- rules test FILE.yaml       whether the rules in force pass tests of kind RuleTest
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { credentials } from '@grpc/grpc-js';
import { Priority } from '@auditing/proto/event';
import {
  EvaluateRequest,
  ExplanationKind,
  RuleServiceClient,
  Severity,
  type CheckResponse,
  type EvaluateResponse,
  type ExplainRequest,
  type ExplainResponse,
  type Explanation,
  type ListRulesResponse,
  type TestRequest,
  type TestResponse,
} from '@auditing/proto/rule';

/** Where the rule service listens: `rule` of the ready line. */
const DEFAULT_ADDRESS = '127.0.0.1:9081';

export async function main(
  [command = 'list', file = '', second = '']: readonly string[],
  print: (line: string) => void,
  address = DEFAULT_ADDRESS,
): Promise<void> {
  const rules = new RuleServiceClient(address, credentials.createInsecure());
  try {
    if (command === 'list') await list(rules, print);
    else if (command === 'check') await check(rules, await readFile(file, 'utf8'), print);
    else if (command === 'evaluate') await evaluate(rules, await readFile(file), print);
    else if (command === 'explain') await explain(rules, [file, await readFile(second)], print);
    else if (command === 'test') await test(rules, await readFile(file, 'utf8'), print);
    else throw new Error(`expected list, check, evaluate, explain or test, got "${command}"`);
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

async function explain(
  client: RuleServiceClient,
  [rule, event]: readonly [string, Buffer],
  print: (line: string) => void,
): Promise<void> {
  const call = promisify<ExplainRequest, ExplainResponse>(client.explain.bind(client));
  const { explanation } = await call({ event, rule, rules: '' });
  if (explanation) printTree(explanation, '', print);
}

function printTree(part: Explanation, indent: string, print: (line: string) => void): void {
  const { kind, holds, text, values, parts } = part;
  const what = kind === ExplanationKind.TEST ? text : ExplanationKind[kind].toLowerCase();
  const seen = values.length === 0 ? '' : `  sees ${values.join(', ')}`;
  print(`${holds ? 'true ' : 'false'} ${indent}${what}${seen}`);
  for (const below of parts) printTree(below, `${indent}  `, print);
}

async function test(
  client: RuleServiceClient,
  tests: string,
  print: (line: string) => void,
): Promise<void> {
  const call = promisify<TestRequest, TestResponse>(client.test.bind(client));
  const { results, passedCount, failedCount, diagnostics } = await call({ tests, rules: '' });
  for (const { test: place, name, passed, message } of results)
    print(`${passed ? 'ok    ' : 'FAILED'} ${place} (${name})${passed ? '' : `: ${message}`}`);
  for (const { resource, path, message } of diagnostics) print(`${resource} ${path} ${message}`);
  print(`${passedCount} passed, ${failedCount} failed`);
}
