import type { KubeObject } from '@auditing/kubernetes/kube-object';
import type { StatefulSetObject } from './kinds';

/** Names of claims that no gateway uses, by Webhook; also of Webhooks that have none, so that they are known. */
export type OrphanedVolumes = ReadonlyMap<string, readonly string[]>;

const SPOOL_CLAIM = /^spool-(.+)-(\d+)$/;

/** Spools that are left over from a scale-down, or from a Webhook that was deleted: 200 promised what is in them. */
export function orphanedVolumes(
  claims: Iterable<KubeObject>,
  statefulSets: Iterable<StatefulSetObject>,
): OrphanedVolumes {
  const replicas = new Map(
    [...statefulSets].map(({ metadata, spec }) => [metadata.name, spec?.replicas ?? 1]),
  );
  const orphaned = new Map<string, string[]>([...replicas.keys()].map((name) => [name, []]));
  for (const { metadata } of claims) {
    const [, name, ordinal] = SPOOL_CLAIM.exec(metadata.name) ?? [];
    if (name === undefined || Number(ordinal) < (replicas.get(name) ?? 0)) continue;
    orphaned.set(name, [...(orphaned.get(name) ?? []), metadata.name]);
  }
  return orphaned;
}
