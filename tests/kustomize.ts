import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

const ROOT = join(__dirname, '..');

/** An object of Kubernetes, as far as all have it. */
export interface KubeManifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Builds a folder of k8s/ as `kubectl apply -k` would. */
export function kustomize(folder: string): readonly KubeManifest[] {
  const path = join(ROOT, 'k8s', folder);
  const hasOwn = spawnSync('kustomize', ['version']).error === undefined;
  const [program, args] = hasOwn
    ? (['kustomize', ['build', path]] as const)
    : (['kubectl', ['kustomize', path]] as const);
  const text = execFileSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  return parseAllDocuments(text).map((document) => document.toJS() as KubeManifest);
}

/** Whether one of the two programs is there, and new enough to know components (kustomize 5). */
export function hasKustomize(): boolean {
  const versions = [
    spawnSync('kustomize', ['version'], { encoding: 'utf8' }),
    spawnSync('kubectl', ['version', '--client'], { encoding: 'utf8' }),
  ].filter(({ error }) => error === undefined);
  return versions.some(({ stdout }) => /^(?:Kustomize Version: )?v5\./m.test(stdout));
}
