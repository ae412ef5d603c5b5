import { Severity, type Diagnostic, type RuleStatus } from '@auditing/proto/rule';
import { Counter, Gauge, type Registry } from 'prom-client';

/** What the rule service counts. */
export interface RuleMetrics {
  /** A batch was decided. */
  readonly batchEvaluated: (eventCount: number, keptCount: number) => void;
  /** A batch was refused because it lacks what the rule set in force reads. */
  readonly batchStale: () => void;
  /** A rule set came into force. */
  readonly ruleSetReplaced: (from: RuleSetOrigin, generation: number) => void;
  readonly diagnostics: (found: readonly Diagnostic[]) => void;
  readonly redisUp: (isUp: boolean) => void;
  /** The status of a resource was to be written. */
  readonly statusWritten: (outcome: 'written' | 'failed') => void;
}

/** Where a rule set came from. */
export type RuleSetOrigin = 'source' | 'redis' | 'disk';

/** @param rules tells the state of every rule when metrics are collected. */
export function ruleMetrics(registry: Registry, rules: () => readonly RuleStatus[]): RuleMetrics {
  perRuleMetrics(registry, rules);
  return { ...batchMetrics(registry), ...ruleSetMetrics(registry) };
}

function batchMetrics(registry: Registry): Pick<RuleMetrics, 'batchEvaluated' | 'batchStale'> {
  const registers = [registry];
  const events = new Counter({
    name: 'auditing_rule_events_evaluated_total',
    help: 'Events that rules decided, by verdict.',
    labelNames: ['verdict'],
    registers,
  });
  const batches = new Counter({
    name: 'auditing_rule_batches_total',
    help: 'Batches by outcome; stale ones lacked a field and are sent again.',
    labelNames: ['outcome'],
    registers,
  });
  return {
    batchEvaluated(eventCount, keptCount) {
      batches.inc({ outcome: 'evaluated' });
      events.inc({ verdict: 'kept' }, keptCount);
      events.inc({ verdict: 'ignored' }, eventCount - keptCount);
    },
    batchStale: () => batches.inc({ outcome: 'stale' }),
  };
}

function ruleSetMetrics(registry: Registry): Omit<RuleMetrics, 'batchEvaluated' | 'batchStale'> {
  const registers = [registry];
  const replaced = new Counter({
    name: 'auditing_rule_set_replaced_total',
    help: 'Rule sets that came into force, by where they came from.',
    labelNames: ['from'],
    registers,
  });
  const generation = new Gauge({
    name: 'auditing_rule_set_generation',
    help: 'Generation of the rule set in force; replicas differ only for a moment.',
    registers,
  });
  const found = new Gauge({
    name: 'auditing_rule_diagnostics',
    help: 'What is wrong with resources; an error leaves an entry or a file out.',
    labelNames: ['severity'],
    registers,
  });
  const redis = new Gauge({
    name: 'auditing_rule_redis_up',
    help: '1 while Redis can be reached; 0 also where none is configured.',
    registers,
  });
  const statuses = new Counter({
    name: 'auditing_rule_statuses_total',
    help: 'Statuses of Rule and Webhook resources by outcome; failed ones are written again.',
    labelNames: ['outcome'],
    registers,
  });
  return {
    statusWritten: (outcome) => statuses.inc({ outcome }),
    ruleSetReplaced(from, now) {
      replaced.inc({ from });
      generation.set(now);
    },
    diagnostics(all) {
      const errorCount = all.filter(({ severity }) => severity === Severity.ERROR).length;
      found.set({ severity: 'error' }, errorCount);
      found.set({ severity: 'warning' }, all.length - errorCount);
    },
    redisUp: (isUp) => redis.set(isUp ? 1 : 0),
  };
}

/** The label is the rule: as many values as the rule set has rules. */
function perRuleMetrics(registry: Registry, rules: () => readonly RuleStatus[]): void {
  const perRule = (name: string, help: string, countOf: (rule: RuleStatus) => bigint): void => {
    const counter = new Counter({
      name,
      help,
      labelNames: ['rule'],
      // The rule set counts; a copy is made when somebody asks.
      collect() {
        this.reset();
        for (const rule of rules()) this.inc({ rule: rule.name }, Number(countOf(rule)));
      },
      registers: [],
    });
    registry.registerMetric(counter);
  };
  perRule('auditing_rule_matches_total', 'Events that a rule matched.', (rule) => rule.matchCount);
  perRule(
    'auditing_rule_type_mismatches_total',
    'Comparisons of a rule that met a value of the wrong type, which counts as false.',
    (rule) => rule.typeMismatchCount,
  );
}
