import { Severity, type Diagnostic } from '@auditing/proto/rule';
import { buildRuleSet, type Resource } from '@auditing/rule-engine/rule-set';

/** kubectl shows them one below the other; Kubernetes cuts off what is longer than 4 KiB together. */
const MAX_WARNINGS = 10;
/** Errors that a refusal names; more are counted. */
const MAX_ERRORS = 5;

/** A resource that is to be stored. */
export interface Review {
  readonly kind: 'Rule' | 'Webhook';
  readonly resource: Resource;
  /** What is stored now; undefined for a new one. */
  readonly before: Resource | undefined;
}

/** What the cluster has besides the resource under review. */
export interface ReviewContext {
  readonly rules: readonly Resource[];
  readonly webhook: Resource | undefined;
}

/** The answer. */
export interface ReviewAnswer {
  /** Why it is refused; undefined if it is not. */
  readonly refusal: string | undefined;
  readonly warnings: readonly string[];
}

/**
 * Judges a resource among all others. A Rule that brings an error is refused, also one in another Rule that uses it;
 * errors that were there before are no reason, so that other entries can be edited. A Webhook is never refused: old
 * manifests must apply.
 */
export function review({ kind, resource, before }: Review, context: ReviewContext): ReviewAnswer {
  const setOf = (candidate: Resource | undefined): readonly Diagnostic[] =>
    kind === 'Webhook'
      ? buildRuleSet({ rules: context.rules, webhook: candidate }).diagnostics
      : buildRuleSet({
          rules: candidate === undefined ? context.rules : [...context.rules, candidate],
          webhook: context.webhook,
        }).diagnostics;
  const found = setOf(resource);
  const own = found.filter((one) => isAbout(one, kind, resource));
  if (kind === 'Webhook') return { refusal: undefined, warnings: texts(own) };
  const known = new Set(setOf(before).filter(isError).map(markOf));
  const errors = found.filter((one) => isError(one) && !known.has(markOf(one)));
  const warnings = texts(own.filter((one) => !errors.includes(one)));
  return { refusal: errors.length === 0 ? undefined : refusalOf(errors, own), warnings };
}

function refusalOf(errors: readonly Diagnostic[], own: readonly Diagnostic[]): string {
  const shown = errors.slice(0, MAX_ERRORS).map((error) => {
    const where = own.includes(error) ? error.path : `${error.resource} ${error.path}`;
    const place = error.line > 0 ? `${where}, line ${error.line}, column ${error.column}` : where;
    return `${place}: ${error.message}${error.excerpt === '' ? '' : `\n${error.excerpt}`}`;
  });
  const more = errors.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}

function texts(diagnostics: readonly Diagnostic[]): string[] {
  return diagnostics
    .slice(0, MAX_WARNINGS)
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
}

function isAbout({ resource }: Diagnostic, kind: Review['kind'], of: Resource): boolean {
  if (kind === 'Webhook') return resource.startsWith('Webhook/');
  const { name = '', namespace } = metadataOf(of);
  return resource === `Rule/${namespace ? `${namespace}/` : ''}${name}`;
}

/** What a resource is called; nothing about its shape is believed. */
export function metadataOf(resource: unknown): { name?: string; namespace?: string } {
  const { metadata } = (resource ?? {}) as {
    readonly metadata?: { name?: string; namespace?: string };
  };
  return metadata ?? {};
}

function isError({ severity }: Diagnostic): boolean {
  return severity === Severity.ERROR;
}

/** The same error, also where entries before it came or went. */
function markOf({ resource, message, excerpt }: Diagnostic): string {
  return [resource, message, excerpt].join('\n');
}
