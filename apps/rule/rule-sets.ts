import type { Diagnostic, RuleSet as RuleSetMessage, RuleStatus } from '@auditing/proto/rule';
import { buildRuleSet, type RuleSet, type RuleSetOptions } from '@auditing/rule-engine/rule-set';
import { queue } from '@auditing/service/queue';
import type { StoredSet } from './stored-set';

/** The rule set that decides. */
export interface RuleSetInForce {
  readonly stored: StoredSet;
  readonly compiled: RuleSet;
}

interface Counts {
  readonly matchCount: bigint;
  readonly typeMismatchCount: bigint;
}

/** Holds the rule set in force: it is replaced as a whole, and those who watch are told. */
export class RuleSets {
  #inForce: RuleSetInForce | undefined;
  /** Of the source; those of the compiled rules come on top. */
  #sourceDiagnostics: readonly Diagnostic[] = [];
  /** Counters of rule sets that were replaced, so that a rule's count does not fall. */
  readonly #earlier = new Map<string, Counts>();
  readonly #watchers = new Set<() => void>();

  constructor(private readonly options: RuleSetOptions = {}) {}

  /** Undefined before the first. */
  get inForce(): RuleSetInForce | undefined {
    return this.#inForce;
  }

  /** Compiles a set and puts it in force. */
  replace(stored: StoredSet): RuleSetInForce {
    for (const status of this.rules()) this.#earlier.set(status.name, status);
    this.#inForce = { stored, compiled: buildRuleSet(stored.resources, this.options) };
    for (const wake of this.#watchers) wake();
    return this.#inForce;
  }

  /** The same resources got a new generation. */
  renumber(generation: number): void {
    if (!this.#inForce) return;
    this.#inForce = { ...this.#inForce, stored: { ...this.#inForce.stored, generation } };
  }

  /** What is wrong with the source now. */
  setSourceDiagnostics(diagnostics: readonly Diagnostic[]): void {
    this.#sourceDiagnostics = diagnostics;
  }

  /** All that is wrong with resources. */
  diagnostics(): Diagnostic[] {
    return [...this.#sourceDiagnostics, ...(this.#inForce?.compiled.diagnostics ?? [])];
  }

  /** Every rule, by name, counted since the service started. */
  rules(): RuleStatus[] {
    const rules = this.#inForce?.compiled.rules() ?? [];
    return rules.map((rule) => {
      const earlier = this.#earlier.get(rule.name);
      if (!earlier) return rule;
      return {
        ...rule,
        matchCount: rule.matchCount + earlier.matchCount,
        typeMismatchCount: rule.typeMismatchCount + earlier.typeMismatchCount,
      };
    });
  }

  /** The set in force as gateway and alert service need it; undefined before the first. */
  message(): RuleSetMessage | undefined {
    if (!this.#inForce) return undefined;
    const { stored, compiled } = this.#inForce;
    return {
      version: compiled.version,
      generation: BigInt(stored.generation),
      projection: compiled.projection,
      settings: compiled.settings,
      ruleCount: compiled.ruleNames.length,
      diagnostics: this.diagnostics(),
    };
  }

  /** The set in force unless its version is known, then each other one; a slow reader gets the newest only. */
  async *watch(
    knownVersion: string,
    signal: AbortSignal,
  ): AsyncGenerator<RuleSetMessage, void, undefined> {
    const changed = queue<true>();
    const wake = (): void => {
      if (changed.size() === 0) changed.push(true);
    };
    this.#watchers.add(wake);
    signal.addEventListener('abort', changed.end);
    if (signal.aborted) changed.end();
    let known = knownVersion;
    wake();
    try {
      for await (const _change of changed) {
        const message = this.message();
        if (message === undefined || message.version === known) continue;
        known = message.version;
        yield message;
      }
    } finally {
      this.#watchers.delete(wake);
      signal.removeEventListener('abort', changed.end);
    }
  }
}
