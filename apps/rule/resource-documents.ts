import { Severity, type Diagnostic } from '@auditing/proto/rule';
import type { Resource } from '@auditing/rule-engine/rule-set';
import { LineCounter, parseAllDocuments, type Document } from 'yaml';

/** Resources out of one text. */
export interface ResourceDocuments {
  readonly rules: readonly Resource[];
  readonly webhooks: readonly Resource[];
  /** Resources of kind RuleTest: never loaded, so that they may lie beside the rules. */
  readonly tests: readonly Resource[];
  /** What is wrong; with an entry of severity ERROR the text as a whole is not to be trusted. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Kinds that hold others, as `kubectl get -o yaml` prints them. */
const LIST_KINDS: readonly string[] = ['List', 'RuleList', 'WebhookList'];
const GROUP = 'auditing.kubesphere.io/';

/** YAML aliases may multiply a text: more than this is no rule but an attack. */
const MAX_ALIASES = 1_000;
/** Lists inside lists inside lists are not written by anybody. */
const MAX_LIST_DEPTH = 4;

/**
 * Reads the Rule, Webhook and RuleTest resources of a YAML or JSON text with one or more documents. Other kinds are left
 * out with a warning.
 *
 * @param name how diagnostics call the text, such as its path
 */
export function resourceDocuments(text: string, name: string): ResourceDocuments {
  const lineCounter = new LineCounter();
  const found = {
    rules: [] as Resource[],
    webhooks: [] as Resource[],
    tests: [] as Resource[],
    diagnostics: [] as Diagnostic[],
  };
  const context: Context = { name, lines: text.split('\n'), lineCounter, found };
  const documents = parseAllDocuments(text, { lineCounter, prettyErrors: false });
  // An empty stream is an array too; it has no documents.
  for (const document of documents) addDocument(document, context);
  return found;
}

interface Context {
  readonly name: string;
  readonly lines: readonly string[];
  readonly lineCounter: LineCounter;
  readonly found: {
    readonly rules: Resource[];
    readonly webhooks: Resource[];
    readonly tests: Resource[];
    readonly diagnostics: Diagnostic[];
  };
}

function addDocument(document: Document.Parsed, context: Context): void {
  const { diagnostics } = context.found;
  for (const { pos, message } of document.errors) {
    diagnostics.push(diagnosticAt(context, pos[0], { severity: Severity.ERROR, message }));
  }
  for (const { pos, message } of document.warnings) {
    diagnostics.push(diagnosticAt(context, pos[0], { severity: Severity.WARNING, message }));
  }
  if (document.errors.length > 0) return;
  const at = document.contents?.range[0] ?? 0;
  try {
    const value = document.toJS({ maxAliasCount: MAX_ALIASES }) as Resource;
    if (value !== null) addResource(value, { context, at, depth: 0 });
  } catch (error) {
    const message = error instanceof Error ? error.message : 'cannot be read';
    diagnostics.push(diagnosticAt(context, at, { severity: Severity.ERROR, message }));
  }
}

function addResource(
  value: Resource,
  where: { context: Context; at: number; depth: number },
): void {
  const { context, at, depth } = where;
  const { rules, webhooks, tests, diagnostics } = context.found;
  const report = (severity: Severity, message: string): void => {
    diagnostics.push(diagnosticAt(context, at, { severity, message }));
  };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    report(Severity.ERROR, 'expected a resource with apiVersion, kind, metadata and spec');
    return;
  }
  const { apiVersion, kind, items } = value as Readonly<Record<string, Resource>>;
  if (typeof kind === 'string' && LIST_KINDS.includes(kind) && Array.isArray(items)) {
    if (depth === MAX_LIST_DEPTH)
      report(Severity.ERROR, `lists nest deeper than ${MAX_LIST_DEPTH}`);
    else
      for (const item of items as Resource[]) addResource(item, { context, at, depth: depth + 1 });
    return;
  }
  const isOurs = typeof apiVersion === 'string' && apiVersion.startsWith(GROUP);
  if (isOurs && kind === 'Rule') rules.push(value);
  else if (isOurs && kind === 'Webhook') webhooks.push(value);
  else if (isOurs && kind === 'RuleTest') tests.push(value);
  else {
    report(
      Severity.WARNING,
      `expected kind Rule, Webhook or RuleTest of ${GROUP}v1alpha1, got kind ${shown(kind)} of ${shown(apiVersion)}; it is ignored`,
    );
  }
}

function shown(value: Resource | undefined): string {
  return typeof value === 'string'
    ? value
    : value === undefined
      ? 'nothing'
      : JSON.stringify(value).slice(0, 80);
}

function diagnosticAt(
  { name, lines, lineCounter }: Context,
  offset: number,
  what: { readonly severity: Severity; readonly message: string },
): Diagnostic {
  const { line, col } = lineCounter.linePos(offset);
  const text = lines[line - 1] ?? '';
  const column = Math.max(col, 1);
  return {
    ...what,
    resource: name,
    path: '',
    line,
    column,
    excerpt: `${text}\n${text.slice(0, column - 1).replace(/[^\t]/g, ' ')}^`,
  };
}
