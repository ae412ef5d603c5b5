import { Severity } from '@auditing/proto/rule';
import type { Condition, Test } from './condition';
import { expandCondition, macroOf, notAList, type Meaning, type Scope } from './expand';
import { FlatMacros } from './flat-macros';
import { parseCondition } from './parse-condition';
import { warning, type Problem } from './problem';
import type { AliasEntry, Entry, ListEntry, MacroEntry, RuleResource } from './rule-resource';

/** An entry together with the resource it stands in, whose names it sees first. */
interface Place {
  readonly entry: Entry;
  readonly resource: RuleResource;
}

/** A condition without references, and how many tests it has. */
type Usable = Omit<Extract<Meaning, { kind: 'macro' }>, 'kind'>;

/** A reference inside a text: `${name}`. */
const REFERENCE = /\$\{([^}]*)\}/g;

/**
 * What the names in all Rule resources stand for. A name is looked up in the resource that uses it, then as
 * `<resource>.<entry>` anywhere. Each entry is read once, and its problems are reported once, where it stands.
 */
export class Dictionary {
  private readonly meanings = new Map<Entry, Meaning>();
  /** The entries being read now, outermost first: meeting one again is a cycle. */
  private readonly open: Place[] = [];
  private readonly global = new Map<string, Place>();
  /** Undefined if all resources have parentheses, which is the rule. */
  private readonly flatMacros: FlatMacros | undefined;

  /**
   * @param resources - where two share a name, the first gives meaning to `${resource.entry}`
   * @param checkTest - says what is wrong with a test beyond its form
   */
  constructor(
    resources: readonly RuleResource[],
    private readonly checkTest: (test: Test) => readonly Problem[],
  ) {
    const isAnyFlat = resources.some(({ hasMacroParentheses }) => !hasMacroParentheses);
    this.flatMacros = isAnyFlat ? new FlatMacros() : undefined;
    for (const resource of resources) {
      for (const entry of resource.entries.values()) {
        const name = `${resource.name}.${entry.name}`;
        if (!this.global.has(name)) this.global.set(name, { entry, resource });
      }
    }
  }

  /** The meaning of names where an entry of this resource uses them. */
  scope(resource: RuleResource): Scope {
    return (name) => {
      const own = resource.entries.get(name);
      const place = own === undefined ? this.global.get(name) : { entry: own, resource };
      return place === undefined ? this.unknown(resource, name) : this.meaning(place);
    };
  }

  /** Reads a macro, list or alias for its problems alone: rules may never use it. */
  check(resource: RuleResource, entry: Entry): void {
    this.meaning({ resource, entry });
  }

  /**
   * Parses and expands a condition that stands in a resource; reports what is wrong with it.
   *
   * @returns undefined if it cannot be used
   */
  read(resource: RuleResource, text: string, path: string): Usable | undefined {
    const parsed = parseCondition(text);
    if (parsed.condition === undefined) {
      resource.report.problems(path, text, parsed.problems);
      return undefined;
    }
    const expanded = expandCondition(parsed.condition, this.scope(resource), this.checkTest);
    const problems = [...parsed.problems, ...expanded.problems, ...quotedReferences(text)];
    resource.report.problems(path, text, problems);
    const { condition, testCount } = expanded;
    if (condition === undefined || problems.some(isError)) return undefined;
    const { flatMacros } = this;
    if (flatMacros === undefined) return { condition, testCount, flat: '' };
    const flat = this.flatten({ flatMacros, resource }, text, parsed.condition);
    if (resource.hasMacroParentheses) return { condition, testCount, flat };
    const asText = flatMacros.read(flat);
    if (!('severity' in asText)) return { condition: asText, testCount, flat };
    resource.report.problems(path, text, [asText]);
    return undefined;
  }

  private flatten(
    { flatMacros, resource }: { flatMacros: FlatMacros; resource: RuleResource },
    text: string,
    parsed: Condition,
  ): string {
    const scope = this.scope(resource);
    return flatMacros.flatten(text, parsed, (test) => {
      const macro = test.kind === 'truth' ? macroOf(test.path, scope) : undefined;
      if (macro === undefined)
        return flatMacros.name(expandCondition(test, scope).condition ?? test);
      return resource.hasMacroParentheses ? `(${macro.flat})` : macro.flat;
    });
  }

  private meaning(place: Place): Meaning {
    const known = this.meanings.get(place.entry);
    if (known !== undefined) return known;
    const start = this.open.findIndex(({ entry }) => entry === place.entry);
    if (start !== -1) {
      const names = [...this.open.slice(start), place].map(({ entry }) => entry.name);
      return { kind: 'none', reason: `refers to itself: ${names.join(' → ')}` };
    }
    this.open.push(place);
    const meaning = this.readMeaning(place);
    this.open.pop();
    this.meanings.set(place.entry, meaning);
    return meaning;
  }

  private readMeaning({ entry, resource }: Place): Meaning {
    switch (entry.type) {
      case 'rule':
        return {
          kind: 'none',
          reason: 'is a rule; only macros, lists and aliases can be used in others',
        };
      case 'macro':
        return this.readMacro(entry, resource);
      case 'list':
        return this.readList(entry, resource);
      case 'alias':
        return this.readAlias(entry, resource);
    }
  }

  private readMacro(entry: MacroEntry, resource: RuleResource): Meaning {
    const path = `${entry.path}.macro`;
    const usable = this.read(resource, entry.macro, path);
    return usable === undefined ? broken(entry, path) : { kind: 'macro', ...usable };
  }

  private readList(entry: ListEntry, resource: RuleResource): Meaning {
    if (entry.list.length === 0)
      resource.report.warn(`${entry.path}.list`, 'the list is empty: nothing is in it');
    const scope = this.scope(resource);
    const items: string[] = [];
    for (const [i, item] of entry.list.entries()) {
      const name = /^\$\{([^}]+)\}$/.exec(item.trim())?.[1];
      if (name === undefined) {
        items.push(item);
        continue;
      }
      const meaning = scope(name);
      if (meaning.kind !== 'list') {
        const path = `${entry.path}.list[${i}]`;
        resource.report.error(path, `\`${item}\` ${notAList(meaning)}`);
        return broken(entry, path);
      }
      items.push(...meaning.items);
    }
    return { kind: 'list', items };
  }

  private readAlias(entry: AliasEntry, resource: RuleResource): Meaning {
    const path = `${entry.path}.alias`;
    const { condition, problems } = parseCondition(entry.alias);
    if (condition?.kind !== 'truth') {
      resource.report.problems(path, entry.alias, problems.filter(isError));
      if (condition !== undefined)
        resource.report.error(path, 'expected one field, such as User.username');
      return broken(entry, path);
    }
    const { path: field, from, to } = condition;
    const test: Test = { kind: 'exists', negated: false, path: field, from, to };
    const expanded = expandCondition(test, this.scope(resource), this.checkTest);
    resource.report.problems(path, entry.alias, expanded.problems);
    const isUsable = !expanded.problems.some(isError) && expanded.condition?.kind === 'exists';
    return isUsable ? { kind: 'alias', path: expanded.condition.path } : broken(entry, path);
  }

  private unknown(resource: RuleResource, name: string): Meaning {
    return new UnknownName(name, [resource.entries, this.global]);
  }
}

/** Why a name means nothing. Worked out only if somebody reads it: outputs ask for the meaning of every field they name. */
class UnknownName {
  readonly kind = 'none';

  constructor(
    private readonly name: string,
    private readonly dictionaries: readonly ReadonlyMap<string, unknown>[],
  ) {}

  get reason(): string {
    const known = this.dictionaries.flatMap((names) => [...names.keys()]);
    const folded = this.name.toLowerCase();
    const near = known.find((key) => key.toLowerCase() === folded || key.endsWith(`.${this.name}`));
    const hint = near === undefined ? '' : `; did you mean \`\${${near}}\`?`;
    return `is not known: no macro, list or alias of this name${hint}`;
  }
}

function broken(entry: Entry, path: string): Meaning {
  return {
    kind: 'none',
    reason: `cannot be used: ${entry.type} \`${entry.name}\` is wrong, see ${path}`,
  };
}

function isError({ severity }: Problem): boolean {
  return severity === Severity.ERROR;
}

/** References inside quotes, which are plain text here and were put in by the original. */
function quotedReferences(text: string): Problem[] {
  if (!text.includes('${')) return [];
  const problems: Problem[] = [];
  for (const quoted of text.matchAll(/"(?:[^"\\]|\\[^])*"/g)) {
    const inside = quoted[0].search(REFERENCE);
    if (inside === -1 || isKey(text, quoted.index)) continue;
    problems.push(
      warning(
        quoted.index + inside,
        'a reference inside quotes is not put in; the text is compared as it stands',
      ),
    );
  }
  return problems;
}

/** Whether the quoted text that begins at a place is a key of a path: `labels."a/b"`, `labels["a/b"]`. */
function isKey(text: string, at: number): boolean {
  return /[.[]$/.test(text.slice(0, at));
}
