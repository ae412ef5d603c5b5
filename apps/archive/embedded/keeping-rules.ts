import { Priority, type RuleName } from '@auditing/proto/event';

/** The rules that keep an event, as its row tells them; undefined if there are none. */
export interface KeepingRules {
  /** JSON text of an array. */
  readonly names: string | undefined;
  /** The highest of their priorities. */
  readonly priority: string | undefined;
}

/** What rows tell of the rules that keep an event; undefined stands for one that the batch does not name. */
export function keepingRules(rules: readonly (RuleName | undefined)[]): KeepingRules {
  const names =
    rules.length === 0 ? undefined : JSON.stringify(rules.map((rule) => rule?.name ?? ''));
  return { names, priority: priorityName(rules.map((rule) => rule?.priority)) };
}

/** The highest of the priorities, by its name; undefined if there is none. */
function priorityName(priorities: readonly (Priority | undefined)[]): string | undefined {
  let highest = Priority.UNSPECIFIED;
  for (const priority of priorities) {
    if (priority !== undefined && priority > highest) highest = priority;
  }
  return highest === Priority.UNSPECIFIED ? undefined : Priority[highest];
}
