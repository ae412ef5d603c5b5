import { decodeEvent, type DecodedEvent } from '@auditing/audit-event/decoded-event';
import { Source } from '@auditing/proto/event';
import type { Diagnostic, RuleStatus, TestFinding, TestResult } from '@auditing/proto/rule';
import { messageOfFinding } from './finding-message';
import { Report } from './report';
import { ObjectReader } from './resource-reader';
import type { Resource, RuleSet } from './rule-set';

/** How the events of one resource of kind RuleTest came out. */
export interface RuleTestOutcome {
  /** In the order of the resource. */
  readonly results: readonly TestResult[];
  /** What cannot be run, and why. */
  readonly diagnostics: readonly Diagnostic[];
}

/** What must come of an event. */
interface Expectation {
  readonly rule: string;
  readonly isFound: boolean;
  /** The rule's message; undefined if any will do. */
  readonly message: string | undefined;
  /** Whether it raises an alert; undefined if either will do. */
  readonly alert: boolean | undefined;
}

/**
 * Runs the tests of a resource of kind RuleTest: events that a rule must find beside events that it must not.
 *
 * @param ruleSet - counts what it finds, so it is not to be the one in force
 */
export function runRuleTest(ruleSet: RuleSet, resource: Resource): RuleTestOutcome {
  const named = ObjectReader.of(resource, '', new Report('')).child('metadata').text('name');
  const report = new Report(`RuleTest/${named}`);
  const spec = ObjectReader.of(resource, '', report).child('spec');
  const rules = new Map(ruleSet.rules().map((rule) => [rule.name, rule]));
  const results = readList(spec, 'tests').flatMap((test) => {
    test.allowOnly(['rule', 'mustFind', 'mustNotFind']);
    const rule = test.text('rule');
    if (rule === '') test.report.error(test.at('rule'), 'expected the name of a rule');
    const run = (key: 'mustFind' | 'mustNotFind'): TestResult[] =>
      readList(test, key).flatMap((example) => {
        const expectation = readExpectation(example, rule, key === 'mustFind');
        const event = readEvent(example);
        if (event === undefined || rule === '') return [];
        const findings = findingsIn(ruleSet, event);
        const message = differenceOf(expectation, findings, rules);
        return {
          test: `${report.resource} ${example.path}`,
          name: example.text('name'),
          passed: message === '',
          findings,
          message,
        };
      });
    return [...run('mustFind'), ...run('mustNotFind')];
  });
  if (results.length === 0)
    report.error('spec.tests', 'expected events that a rule must find or must not, found none');
  return { results, diagnostics: report.diagnostics };
}

function readList(reader: ObjectReader, key: string): ObjectReader[] {
  return reader
    .list(key)
    .map((item, i) => ObjectReader.of(item, `${reader.at(key)}[${i}]`, reader.report));
}

function readExpectation(example: ObjectReader, rule: string, isFound: boolean): Expectation {
  example.allowOnly(isFound ? ['name', 'event', 'message', 'alert'] : ['name', 'event']);
  const message = example.has('message') ? example.text('message') : undefined;
  return { rule, isFound, message, alert: example.flag('alert') };
}

/** An event written as an object, or as the text of its JSON where its exact bytes matter. */
function readEvent(example: ObjectReader): DecodedEvent | undefined {
  const value = example.value('event');
  if (value === undefined) {
    example.report.error(example.at('event'), 'expected an event');
    return undefined;
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  try {
    return decodeEvent(Buffer.from(text), Source.UNSPECIFIED);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    example.report.error(example.at('event'), `expected an event: ${reason}`);
    return undefined;
  }
}

function findingsIn(ruleSet: RuleSet, event: DecodedEvent): TestFinding[] {
  const findings = ruleSet.evaluate(event)?.findings ?? [];
  return findings.flatMap(({ rule, alert, message }) => {
    const found = ruleSet.ruleNames[rule];
    if (found === undefined) return [];
    const { name, priority } = found;
    return [{ rule: name, priority, alert, message: messageOfFinding({ message }, found, event) }];
  });
}

/** What came out otherwise than it must; empty if nothing did. */
function differenceOf(
  { rule, isFound, message, alert }: Expectation,
  findings: readonly TestFinding[],
  rules: ReadonlyMap<string, RuleStatus>,
): string {
  const status = rules.get(rule);
  if (status === undefined) return `there is no rule \`${rule}\``;
  if (!status.active) return `\`${rule}\` is not in force: ${whyIdle(status)}`;
  const finding = findings.find((found) => found.rule === rule);
  if (!isFound) return finding === undefined ? '' : `expected \`${rule}\` not to find it, it did`;
  if (finding === undefined) {
    const others = findings.map((found) => found.rule).join(', ');
    return `expected \`${rule}\` to find it, found by ${others || 'no rule'}`;
  }
  if (message !== undefined && finding.message !== message)
    return `expected the message "${message}", got "${finding.message}"`;
  if (alert !== undefined && finding.alert !== alert)
    return alert ? 'expected an alert, got none' : 'expected no alert, got one';
  return '';
}

function whyIdle({ archiving, alerting, diagnostics }: RuleStatus): string {
  const [first] = diagnostics;
  if (first !== undefined) return first.message;
  return archiving || alerting
    ? 'it is not enabled, or its priority is below archivingPriority'
    : 'no selector of the Webhook resource picks it';
}
