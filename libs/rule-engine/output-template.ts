import type { JsonValue } from '@auditing/audit-event/event-fields';
import { isJsonObject } from '@auditing/audit-event/field-keys';
import type { Path } from './condition';
import type { Meaning, Scope } from './expand';
import { resolvePath, type FieldReader, type Root } from './field-source';
import { parseCondition } from './parse-condition';
import { collectValues } from './path-walk';
import { warning, type Problem } from './problem';
import { RecentMap } from './recent-map';
import { textOfValue } from './text-value';

/** A compiled output. */
export interface OutputTemplate {
  /** The message for the event that a reader stands at. */
  render(reader: FieldReader): string;
  /** What it reads. */
  readonly roots: readonly Root[];
  /** What looks wrong with it; an output is never refused. */
  readonly problems: readonly Problem[];
}

/** Longest value that a message shows, in UTF-16 units: messages become labels of alerts, and bodies can be huge. */
const MAX_VALUE_LENGTH = 1_024;

/** How many fields of outputs are known: all rules name the same few. */
const KNOWN_FIELDS = 256;

/** Longest one that is remembered, in UTF-16 units. */
const REMEMBERED_LENGTH = 256;

const knownFields = new RecentMap<string, { readonly path: Path | undefined }>(KNOWN_FIELDS);

/** Resources that belong to a workspace itself, in the default text. */
const WORKSPACE_RESOURCES: ReadonlySet<string> = new Set([
  'devops',
  'namespaces',
  'federatednamespaces',
  'workspaceroles',
  'federatedworkspaceroles',
  'workspacemembers',
]);

/** A part of a message. */
type Part = (reader: FieldReader) => string;

/**
 * Compiles the output of a rule: text with `${alias}`, `${list}`, `${Field.path}` and `${$n}`, the n-th part of
 * ObjectRef.Name between colons, from 1. What an event lacks is empty. An empty output gives a text that says who
 * did what to which object.
 */
export function compileOutput(text: string, scope: Scope, reader: FieldReader): OutputTemplate {
  const compiler = new OutputCompiler(scope, reader);
  const parts = text.trim() === '' ? [compiler.defaultText()] : compiler.parts(text);
  const { roots, problems } = compiler;
  const render = (current: FieldReader): string => {
    let message = '';
    for (const part of parts) message += part(current);
    return message;
  };
  return { render, roots, problems };
}

class OutputCompiler {
  readonly roots: Root[] = [];
  readonly problems: Problem[] = [];

  constructor(
    private readonly scope: Scope,
    private readonly reader: FieldReader,
  ) {}

  parts(text: string): Part[] {
    const parts: Part[] = [];
    let end = 0;
    for (const found of text.matchAll(/\$\{([^}]*)\}/g)) {
      const before = text.slice(end, found.index);
      if (before !== '') parts.push(() => before);
      parts.push(this.reference(found[1]?.trim() ?? '', found.index));
      end = found.index + found[0].length;
    }
    const rest = text.slice(end);
    if (rest !== '') parts.push(() => rest);
    return parts;
  }

  defaultText(): Part {
    const user = this.root({ field: 'User.username' });
    const verb = this.root({ field: 'Verb' });
    const resource = this.root({ field: 'ObjectRef.Resource' });
    const name = this.root({ field: 'ObjectRef.Name' });
    const namespace = this.root({ field: 'ObjectRef.Namespace' });
    const workspace = this.root({ field: 'Workspace' });
    const devops = this.root({ field: 'Devops' });
    return (reader) => {
      const kind = resource(reader);
      const what = `${user(reader)} ${verb(reader)} ${kind} '${name(reader)}'`;
      if (workspace(reader) !== '' && WORKSPACE_RESOURCES.has(kind)) {
        return `${what} in Workspace ${workspace(reader)}`;
      }
      if (devops(reader) !== '') return `${what} in Devops ${devops(reader)}`;
      const isNamespace = kind === 'namespaces' || kind === 'federatednamespaces';
      if (namespace(reader) !== '' && !isNamespace)
        return `${what} in Namespace ${namespace(reader)}`;
      return what;
    };
  }

  private reference(name: string, at: number): Part {
    if (name.startsWith('$')) return this.namePart(name.slice(1), at);
    const meaning = this.scope(name);
    switch (meaning.kind) {
      case 'alias':
        return this.path(meaning.path);
      case 'list': {
        const items = meaning.items.join(', ');
        return () => items;
      }
      default:
        return this.field(name, at, meaning);
    }
  }

  /** The n-th part of the object's name. */
  private namePart(digits: string, at: number): Part {
    const n = /^[1-9]\d*$/.test(digits) ? Number(digits) : undefined;
    if (n === undefined) {
      this.problems.push(warning(at, 'expected ${$n} with n from 1; this is always empty'));
      return () => '';
    }
    const name = this.root({ field: 'ObjectRef.Name' });
    return (reader) => name(reader).split(':')[n - 1] ?? '';
  }

  private field(name: string, at: number, meaning: Meaning): Part {
    const path = parseField(name);
    if (path === undefined) {
      this.problems.push(
        warning(at, `\`\${${name}}\` is neither an alias, a list nor a field; it is always empty`),
      );
      return () => '';
    }
    const { root } = resolvePath(path);
    if ('other' in root) {
      const reason = meaning.kind === 'none' ? meaning.reason : 'is a macro, which has no text';
      this.problems.push(
        warning(at, `\`\${${name}}\` ${reason}, and no field; it is empty unless an event has it`),
      );
    }
    return this.path(path);
  }

  private path(path: Path): Part {
    const { root, steps } = resolvePath(path);
    if (steps.length === 0) return this.root(root);
    const slot = this.slot(root);
    return (reader) => shorten(collectValues(reader.read(slot), steps).map(textOfLeaf).join(', '));
  }

  private root(root: Root): Part {
    const slot = this.slot(root);
    return (reader) => shorten(textOfLeaf(reader.read(slot)));
  }

  private slot(root: Root): number {
    this.roots.push(root);
    return this.reader.slot(root);
  }
}

/** The path that a text is; undefined if it is none. */
function parseField(text: string): Path | undefined {
  let known = knownFields.get(text);
  if (known === undefined) {
    const { condition } = parseCondition(text);
    const isField = condition?.kind === 'truth' && !condition.path.isReference;
    known = { path: isField ? condition.path : undefined };
    if (text.length <= REMEMBERED_LENGTH) knownFields.set(text, known);
  }
  return known.path;
}

/** An object has no text of its own, as in the original, which sees nothing but its leaves. */
function textOfLeaf(value: JsonValue | undefined): string {
  return value === undefined || value === null || isJsonObject(value) ? '' : textOfValue(value);
}

function shorten(text: string): string {
  if (text.length <= MAX_VALUE_LENGTH) return text;
  // Half of a character is none.
  const isHalf = /[\ud800-\udbff]/.test(text.charAt(MAX_VALUE_LENGTH - 1));
  return `${text.slice(0, isHalf ? MAX_VALUE_LENGTH - 1 : MAX_VALUE_LENGTH)}…`;
}
