import type { OutputPart } from '@auditing/proto/event';
import type { Path } from './condition';
import { DEFAULT_FIELDS, defaultText, messageText, shortened, textOfLeaf } from './default-message';
import type { Meaning, Scope } from './expand';
import { resolvePath, type FieldReader, type Root } from './field-source';
import { namePart } from './finding-message';
import { parseCondition } from './parse-condition';
import { printPath } from './path-text';
import { collectValues } from './path-walk';
import { warning, type Problem } from './problem';
import { RecentMap } from './recent-map';

/** A compiled output. */
export interface OutputTemplate {
  /** The message for the event that a reader stands at. */
  render(reader: FieldReader): string;
  /** The same for whoever has the event later: messageOfFinding makes the same message of it. */
  readonly parts: readonly OutputPart[];
  /** What it reads. */
  readonly roots: readonly Root[];
  /** What looks wrong with it; an output is never refused. */
  readonly problems: readonly Problem[];
}

/** How many fields of outputs are known: all rules name the same few. */
const KNOWN_FIELDS = 256;

/** Longest one that is remembered, in UTF-16 units. */
const REMEMBERED_LENGTH = 256;

/** Of a part of a name: what a uint32 holds. */
const NAME_PART_MAX = 2 ** 32 - 1;

const knownFields = new RecentMap<string, { readonly path: Path | undefined }>(KNOWN_FIELDS);

/** A part of a message. */
interface Part {
  readonly text: (reader: FieldReader) => string;
  readonly output: OutputPart;
}

/**
 * Compiles the output of a rule: text with `${alias}`, `${list}`, `${Field.path}` and `${$n}`, the n-th part of
 * ObjectRef.Name between colons, from 1. What an event lacks is empty. An empty output gives a text that says who
 * did what to which object.
 */
export function compileOutput(text: string, scope: Scope, reader: FieldReader): OutputTemplate {
  const compiler = new OutputCompiler(scope, reader);
  const parts = text.trim() === '' ? [compiler.defaultText()] : compiler.parts(text);
  const { roots, problems } = compiler;
  const texts = parts.map((part) => part.text);
  const render = (current: FieldReader): string => {
    let message = '';
    for (const textOf of texts) message += textOf(current);
    return message;
  };
  return { render, parts: parts.map(({ output }) => output), roots, problems };
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
      if (before !== '') parts.push(literal(before));
      parts.push(this.reference(found[1]?.trim() ?? '', found.index));
      end = found.index + found[0].length;
    }
    const rest = text.slice(end);
    if (rest !== '') parts.push(literal(rest));
    return parts;
  }

  defaultText(): Part {
    const texts = new Map(DEFAULT_FIELDS.map((field) => [field, this.root({ field })]));
    return {
      text: (reader) => defaultText((field) => texts.get(field)?.(reader) ?? ''),
      output: { part: { $case: 'defaultText', value: true } },
    };
  }

  private reference(name: string, at: number): Part {
    if (name.startsWith('$')) return this.namePart(name.slice(1), at);
    const meaning = this.scope(name);
    switch (meaning.kind) {
      case 'alias':
        return this.path(meaning.path);
      case 'list':
        return literal(meaning.items.join(', '));
      default:
        return this.field(name, at, meaning);
    }
  }

  /** The n-th part of the object's name. */
  private namePart(digits: string, at: number): Part {
    const n = /^[1-9]\d*$/.test(digits) ? Number(digits) : undefined;
    if (n === undefined) {
      this.problems.push(warning(at, 'expected ${$n} with n from 1; this is always empty'));
      return literal('');
    }
    const name = this.root({ field: 'ObjectRef.Name' });
    return {
      text: (reader) => namePart(name(reader), n),
      // No name has as many parts as the largest number that can be sent.
      output: { part: { $case: 'namePart', value: Math.min(n, NAME_PART_MAX) } },
    };
  }

  private field(name: string, at: number, meaning: Meaning): Part {
    const path = parseField(name);
    if (path === undefined) {
      this.problems.push(
        warning(at, `\`\${${name}}\` is neither an alias, a list nor a field; it is always empty`),
      );
      return literal('');
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
    const output: OutputPart = { part: { $case: 'path', value: printPath(path) } };
    if (steps.length === 0) return { text: this.root(root), output };
    const slot = this.slot(root);
    return {
      text: (reader) =>
        shortened(collectValues(reader.read(slot), steps).map(textOfLeaf).join(', ')),
      output,
    };
  }

  private root(root: Root): (reader: FieldReader) => string {
    const slot = this.slot(root);
    return (reader) => messageText(reader.read(slot));
  }

  private slot(root: Root): number {
    this.roots.push(root);
    return this.reader.slot(root);
  }
}

function literal(text: string): Part {
  return { text: () => text, output: { part: { $case: 'text', value: text } } };
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
