import type { Priority } from '@auditing/proto/event';
import { RULE_FIELDS } from './gen/resource-fields';
import type { Labels } from './label-selector';
import { ObjectReader, typeName } from './resource-reader';
import { Report } from './report';
import type { Resource } from './rule-set';
import { warnOfUnknownFields } from './unknown-fields';

/** One resource of kind Rule, read. */
export interface RuleResource {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  /** Whether the macros that its conditions use count as if in parentheses; the original has none. */
  readonly hasMacroParentheses: boolean;
  /** By name; what cannot be read is left out. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly report: Report;
}

/** One entry of a Rule resource, as written. */
export type Entry = RuleEntry | MacroEntry | ListEntry | AliasEntry;

interface NamedEntry {
  readonly name: string;
  /** Where it stands, such as `spec.rules[3]`. */
  readonly path: string;
}

/** An entry that is evaluated. */
export interface RuleEntry extends NamedEntry {
  readonly type: 'rule';
  readonly desc: string;
  readonly condition: string;
  readonly output: string;
  readonly priority: Priority;
  readonly enable: boolean;
}

/** A condition to be used in others. */
export interface MacroEntry extends NamedEntry {
  readonly type: 'macro';
  readonly macro: string;
}

/** Texts to be used behind `in`. */
export interface ListEntry extends NamedEntry {
  readonly type: 'list';
  readonly list: readonly string[];
}

/** Another name of a field. */
export interface AliasEntry extends NamedEntry {
  readonly type: 'alias';
  readonly alias: string;
}

/** Annotation of a Rule resource; false reads its macros as the original does. */
const MACRO_PARENTHESES = 'auditing.kubesphere.io/macro-parentheses';

/** Reads one resource of kind Rule. */
export function readRuleResource(resource: Resource): RuleResource {
  // The name is needed before anything can be reported, so it is read with a report that is thrown away.
  const named = ObjectReader.of(resource, '', new Report('')).child('metadata');
  const name = named.text('name');
  const namespace = named.text('namespace');
  const report = new Report(`Rule/${namespace === '' ? '' : `${namespace}/`}${name}`);
  const reader = ObjectReader.of(resource, '', report);
  const metadata = reader.child('metadata');
  if (name === '') report.error(metadata.at('name'), 'expected the name of the resource');
  const labels = metadata.child('labels');
  const entries = new Map<string, Entry>();
  const spec = reader.child('spec');
  warnOfUnknownFields(reader.value('spec'), RULE_FIELDS, spec);
  for (const [i, item] of (name === '' ? [] : spec.list('rules')).entries()) {
    const entry = readEntry(ObjectReader.of(item, `${spec.at('rules')}[${i}]`, report));
    if (entry === undefined) continue;
    const before = entries.get(entry.name);
    if (before === undefined) entries.set(entry.name, entry);
    else
      report.error(
        entry.path,
        `there is another \`${entry.name}\` at ${before.path}; that one counts`,
      );
  }
  return {
    name,
    namespace,
    labels: new Map(labels.keys().map((key) => [key, labels.text(key)])),
    hasMacroParentheses: readMacroParentheses(metadata.child('annotations')),
    entries,
    report,
  };
}

/** Annotations are texts, unlike other flags. */
function readMacroParentheses(annotations: ObjectReader): boolean {
  const word = annotations.text(MACRO_PARENTHESES);
  if (!['', 'true', 'false'].includes(word)) {
    const message = `expected "true" or "false", found \`${word}\`; taken as "true"`;
    annotations.report.warn(annotations.at(MACRO_PARENTHESES), message);
  }
  return word !== 'false';
}

function readEntry(reader: ObjectReader): Entry | undefined {
  const name = reader.text('name').trim();
  const { path, report } = reader;
  if (name === '') {
    report.error(
      reader.at('name'),
      'expected a name, which is how findings and references call the entry',
    );
    return undefined;
  }
  const type = reader.text('type').trim();
  switch (type) {
    case 'rule':
      return readRule(reader, name);
    case 'macro':
      return { type, name, path, macro: reader.text('macro') };
    case 'alias':
      return { type, name, path, alias: reader.text('alias').trim() };
    case 'list':
      return { type, name, path, list: readItems(reader) };
    default:
      report.error(reader.at('type'), `expected rule, macro, list or alias, found \`${type}\``);
      return undefined;
  }
}

function readRule(reader: ObjectReader, name: string): RuleEntry {
  const enable = reader.flag('enable');
  if (enable === undefined) {
    reader.report.warn(
      reader.at('enable'),
      'the rule is not active; add `enable: true`, or `false` to say so',
    );
  }
  if (!reader.has('priority')) {
    reader.report.warn(
      reader.at('priority'),
      'without DEBUG, INFO or WARNING the rule passes no threshold',
    );
  }
  return {
    type: 'rule',
    name,
    path: reader.path,
    desc: reader.text('desc'),
    condition: reader.text('condition'),
    output: reader.text('output'),
    priority: reader.priority('priority'),
    enable: enable ?? false,
  };
}

function readItems(reader: ObjectReader): string[] {
  const items: string[] = [];
  for (const [i, item] of reader.list('list').entries()) {
    if (item !== null && typeof item !== 'object') items.push(String(item));
    else
      reader.report.error(`${reader.at('list')}[${i}]`, `expected a text, found ${typeName(item)}`);
  }
  return items;
}
