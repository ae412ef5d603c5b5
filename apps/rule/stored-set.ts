import { createHash } from 'node:crypto';
import { Severity, type Diagnostic } from '@auditing/proto/rule';
import type { Resource, Resources } from '@auditing/rule-engine/rule-set';
import type { ResourcePart } from './rule-source';

/** The resources of a rule set, as they are shared by Redis and kept on disk: each replica compiles them itself. */
export interface StoredSet {
  /** Rises at each change, over restarts and over all replicas. */
  readonly generation: number;
  /**
   * SHA-256 of the resources, in hexadecimal. Replicas compare this, not the version, which a newer release may
   * compute otherwise.
   */
  readonly hash: string;
  readonly resources: Resources;
}

/** The hash of resources: equal ones in another order, or with their keys in another order, have the same. */
export function hashOf({ rules, webhook }: Resources): string {
  const text = [...rules.map(stableText).sort(), webhook === undefined ? '' : stableText(webhook)];
  return createHash('sha256').update(text.join('\n')).digest('hex');
}

function stableText(value: Resource): string {
  return JSON.stringify(value, (_key, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}

/** Reads what `JSON.stringify` made of a StoredSet; undefined if it is anything else. */
export function parseStoredSet(text: string): StoredSet | undefined {
  try {
    const { generation, hash, resources } = JSON.parse(text) as Partial<StoredSet>;
    if (!Number.isSafeInteger(generation) || typeof hash !== 'string') return undefined;
    if (!Array.isArray(resources?.rules) || hashOf(resources) !== hash) return undefined;
    return { generation: generation as number, hash, resources };
  } catch {
    return undefined;
  }
}

/** Which resources of a source make the rule set, and what is to be said about the others. */
export interface ChosenResources {
  /** Undefined if the source has no resource at all. */
  readonly resources: Resources | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** All rules, and the one Webhook resource of that name. */
export function chooseResources(
  parts: Readonly<Record<string, ResourcePart>>,
  webhookName: string,
): ChosenResources {
  const rules = Object.values(parts).flatMap((part) => part.rules);
  const webhooks = Object.values(parts).flatMap((part) => part.webhooks);
  const diagnostics: Diagnostic[] = [];
  let webhook: Resource | undefined;
  for (const one of webhooks) {
    const name = nameOf(one);
    if (name !== webhookName) {
      diagnostics.push(
        about(
          name,
          Severity.WARNING,
          `only the Webhook resource ${webhookName} is in force; this one is ignored`,
        ),
      );
    } else if (webhook === undefined) webhook = one;
    else
      diagnostics.push(
        about(name, Severity.ERROR, 'there is another one of this name; the first is in force'),
      );
  }
  if (rules.length === 0 && webhook === undefined) return { resources: undefined, diagnostics };
  return { resources: { rules, webhook }, diagnostics };
}

function nameOf(resource: Resource): string {
  const { metadata } = resource as { readonly metadata?: { readonly name?: unknown } };
  return typeof metadata?.name === 'string' ? metadata.name : '';
}

function about(name: string, severity: Severity, message: string): Diagnostic {
  return {
    severity,
    resource: `Webhook/${name}`,
    path: 'metadata.name',
    line: 0,
    column: 0,
    message,
    excerpt: '',
  };
}
