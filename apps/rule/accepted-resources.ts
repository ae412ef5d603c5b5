import { isDeepStrictEqual } from 'node:util';
import { Severity, type Diagnostic } from '@auditing/proto/rule';
import { buildRuleSet, type Resource } from '@auditing/rule-engine/rule-set';

/** Resources by `Rule/namespace/name`, `Rule/name` or `Webhook/name`, as diagnostics call them. */
export type NamedResources = ReadonlyMap<string, Resource>;

/**
 * The version of each resource that is to be in force. An edit that brings errors, in the resource itself or in one that
 * uses it, does not act: the version before it stays until the resource is repaired. A resource that is new acts as far as
 * it is well-formed, and one that is deleted is gone.
 */
export class AcceptedResources {
  #accepted: Map<string, Resource>;
  readonly #held = new Map<string, readonly Diagnostic[]>();

  /** @param webhookName the Webhook resource in force; others decide nothing */
  constructor(
    private readonly webhookName: string,
    lastGood: NamedResources,
  ) {
    this.#accepted = new Map(lastGood);
  }

  /** What is to be in force. */
  get accepted(): NamedResources {
    return this.#accepted;
  }

  /** Why the newest version of a resource does not act, for each whose does not. */
  get held(): ReadonlyMap<string, readonly Diagnostic[]> {
    return this.#held;
  }

  /** Takes the resources that there are now. */
  take(current: NamedResources): void {
    const base = new Map([...this.#accepted].filter(([name]) => current.has(name)));
    const changed = [...current].filter(
      ([name, resource]) => !isDeepStrictEqual(base.get(name), resource),
    );
    this.#held.clear();
    const isNew = (name: string): boolean => !base.has(name);
    // Edits that belong together may only be well-formed together.
    const all = new Map([...base, ...changed]);
    if (this.#newErrors(base, all).every(({ resource }) => isNew(resource))) {
      this.#accepted = all;
      return;
    }
    const fresh = changed.filter(([name]) => isNew(name));
    this.#accepted = new Map([...base, ...fresh]);
    let waiting = changed.filter(([name]) => !isNew(name));
    for (let before = -1; waiting.length > 0 && waiting.length !== before;) {
      before = waiting.length;
      waiting = waiting.filter((edit) => !this.#tryEdit(edit));
    }
  }

  #tryEdit([name, resource]: readonly [string, Resource]): boolean {
    const edited = new Map([...this.#accepted, [name, resource]]);
    const errors = this.#newErrors(this.#accepted, edited);
    if (errors.length > 0) {
      this.#held.set(name, errors);
      return false;
    }
    this.#held.delete(name);
    this.#accepted = edited;
    return true;
  }

  #newErrors(before: NamedResources, after: NamedResources): Diagnostic[] {
    const known = new Set(this.#errors(before).map(markOf));
    return this.#errors(after).filter((error) => !known.has(markOf(error)));
  }

  #errors(resources: NamedResources): Diagnostic[] {
    const rules = [...resources].flatMap(([name, one]) => (name.startsWith('Rule/') ? [one] : []));
    const webhook = resources.get(`Webhook/${this.webhookName}`);
    return buildRuleSet({ rules, webhook }).diagnostics.filter(
      ({ severity }) => severity === Severity.ERROR,
    );
  }
}

/** The same error, also where entries before it came or went. */
function markOf({ resource, message, excerpt }: Diagnostic): string {
  return [resource, message, excerpt].join('\n');
}
