import type { Condition } from './crds/condition-schema';
import type { KubeObject } from './kube-object';

/** A condition before it is known since when it holds. */
export type Fact = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

/** One thing that is so, or is not, with a word for machines and a sentence for people. */
export function fact(
  type: string,
  holds: boolean,
  [reason, message]: readonly [string, string],
): Fact {
  return { type, status: holds ? 'True' : 'False', reason, message };
}

/**
 * Conditions with the time since when they hold: that of before where nothing changed. Those of other writers come along as
 * they are: old API servers (1.20) merge the list of a custom resource as a whole, whatever its definition says.
 */
export function datedConditions(
  object: KubeObject & { readonly status?: unknown },
  facts: readonly Fact[],
): Condition[] {
  const { conditions = [] } = (object.status ?? {}) as {
    readonly conditions?: readonly Condition[];
  };
  const { generation } = object.metadata;
  const others = conditions.filter(({ type }) => facts.every((one) => one.type !== type));
  const own = facts.map((one) => {
    const before = conditions.find(({ type }) => type === one.type);
    const since = before?.status === one.status ? before.lastTransitionTime : undefined;
    return {
      ...one,
      ...(generation !== undefined && { observedGeneration: generation }),
      lastTransitionTime: since ?? new Date().toISOString().replace(/\.\d+/, ''),
    };
  });
  return [...own, ...others];
}
