import { Dictionary } from './dictionary';
import type { Meaning } from './expand';
import { printPath } from './path-text';
import { printCondition } from './print-condition';
import { readRuleResource, type RuleResource } from './rule-resource';
import type { Resource } from './rule-set';

/** Macros, lists (of arrays) and aliases (that begin with a dot) by name. */
type Entries = Record<string, string | readonly Resource[]>;

function resourceOf(entries: Entries, name = 'r', namespace = ''): RuleResource {
  const rules = Object.entries(entries).map(([key, value]): Resource => {
    if (typeof value !== 'string') return { name: key, type: 'list', list: [...value] };
    return value.startsWith('.')
      ? { name: key, type: 'alias', alias: value.slice(1) }
      : { name: key, type: 'macro', macro: value };
  });
  return readRuleResource({ metadata: { name, namespace }, spec: { rules } });
}

/** What is wrong with a resource, once each entry was looked at. */
function problemsIn(entries: Entries): string[] {
  const resource = resourceOf(entries);
  const dictionary = new Dictionary([resource], () => []);
  for (const entry of resource.entries.values()) dictionary.check(resource, entry);
  return resource.report.diagnostics.map(({ path, message }) => `${path}: ${message}`);
}

function inWords(meaning: Meaning): unknown {
  switch (meaning.kind) {
    case 'macro':
      return printCondition(meaning.condition);
    case 'list':
      return meaning.items;
    case 'alias':
      return printPath(meaning.path);
    case 'none':
      return meaning.reason;
  }
}

describe('meanings', () => {
  const own = resourceOf({
    macro: 'Verb in ${list} or ${user}.name = "x"',
    list: ['x', 7, ' ${other} ', 'a${other}', '${other}b'],
    other: ['y'],
    user: '.user[0]',
    nested: '.${user}.a',
    flag: '.RequestObject.on',
    both: '${flag} and ${macro}',
    Mixed: ['z'],
  });
  const far = resourceOf({ list: ['far'], only: ['once'] }, 'far');
  const dictionary = new Dictionary([own, far], () => []);

  it.each([
    ['macro', 'Verb in ("x", "7", "y", "a${other}", "${other}b") or user[0].name = "x"'],
    ['list', ['x', '7', 'y', 'a${other}', '${other}b']],
    ['nested', 'user[0].a'],
    [
      'both',
      'RequestObject.on and (Verb in ("x", "7", "y", "a${other}", "${other}b") or user[0].name = "x")',
    ],
    ['far.list', ['far']],
    ['r.other', ['y']],
    ['gone', 'is not known: no macro, list or alias of this name'],
    ['mixed', 'is not known: no macro, list or alias of this name; did you mean `${Mixed}`?'],
    ['only', 'is not known: no macro, list or alias of this name; did you mean `${far.only}`?'],
  ])('of %s', (name, meaning) => {
    expect(inWords(dictionary.scope(own)(name))).toEqual(meaning);
  });

  it('are those of the own resource first, then of the first one of a name', () => {
    const [one, two] = [
      resourceOf({ list: ['a'] }, 'r', 'a'),
      resourceOf({ list: ['b'] }, 'r', 'b'),
    ];
    const scope = new Dictionary([one, two], () => []).scope(two);
    expect(inWords(scope('list'))).toEqual(['b']);
    expect(inWords(scope('r.list'))).toEqual(['a']);
  });
});

it.each<[string, Entries, readonly string[]]>([
  ['an empty list', { l: [] }, ['spec.rules[0].list: the list is empty: nothing is in it']],
  [
    'a list that names a macro',
    { m: 'Verb = "x"', l: ['a', '${m}'] },
    ['spec.rules[1].list[1]: `${m}` is of type macro, not list'],
  ],
  [
    'a list that names nothing',
    { l: ['${gone}'] },
    ['spec.rules[0].list[0]: `${gone}` is not known: no macro, list or alias of this name'],
  ],
  [
    'an alias that is a condition',
    { a: '.A and B or C' },
    ['spec.rules[0].alias: expected one field, such as User.username'],
  ],
  [
    'an alias that is no path',
    { a: '.A..' },
    [expect.stringMatching(/^spec\.rules\[0\]\.alias: expected .*found `\.\.`/) as string],
  ],
  [
    'an alias of a name that is not known',
    { a: '.${gone}' },
    ['spec.rules[0].alias: `${gone}` is not known: no macro, list or alias of this name'],
  ],
  [
    'an alias of a list',
    { l: ['x'], a: '.${l}' },
    ['spec.rules[1].alias: `${l}` is a list; it can stand behind `in` and `ipInCidr` only'],
  ],
  [
    'a macro with something behind it',
    { m: 'Verb = "x"', n: '${m}.x', o: '${m}[0]' },
    [
      'spec.rules[1].macro: `${m}` is a macro, which is a whole condition; an alias names a field',
      'spec.rules[2].macro: `${m}` is a macro, which is a whole condition; an alias names a field',
    ],
  ],
  [
    'an alias where a list must be',
    { a: '.User.uid', m: 'Verb in ("x", ${a}) or Verb = "y"' },
    ['spec.rules[1].macro: `${a}` is of type alias, not list'],
  ],
  [
    'macros that use each other, without the way there',
    { out: '${loop}', loop: '${pool}', pool: 'Verb exists or ${loop}' },
    [
      'spec.rules[2].macro: `${loop}` refers to itself: loop → pool → loop',
      'spec.rules[1].macro: `${pool}` cannot be used: macro `pool` is wrong, see spec.rules[2].macro',
      'spec.rules[0].macro: `${loop}` cannot be used: macro `loop` is wrong, see spec.rules[1].macro',
    ],
  ],
])('says what is wrong with %s', (_what, entries, problems) => {
  expect(problemsIn(entries)).toEqual(problems);
});

it('shows no test that is incomplete to whoever checks tests', () => {
  const resource = resourceOf({ m: 'Verb in ("x", ${gone}) and User.uid = "1"' });
  const seen: string[] = [];
  const dictionary = new Dictionary([resource], (test) => {
    seen.push(printCondition(test));
    return [];
  });
  for (const entry of resource.entries.values()) dictionary.check(resource, entry);
  expect(seen).toEqual(['User.uid = "1"']);
});

it('takes as many tests as the limit says, with those of macros each time', () => {
  const hundred = (part: string): string => Array.from({ length: 100 }, () => part).join(' or ');
  const macros = { a: hundred('Verb = "x"'), full: hundred('${a}') };
  expect(problemsIn(macros)).toEqual([]);
  expect(problemsIn({ ...macros, more: '${full} or Verb = "x"' })).toEqual([
    'spec.rules[2].macro: with its macros the condition has more than 10000 tests',
  ]);
});

describe('a reference inside quotes', () => {
  const columnsOf = (macro: string): number[] => {
    const resource = resourceOf({ m: macro });
    const dictionary = new Dictionary([resource], () => []);
    for (const entry of resource.entries.values()) dictionary.check(resource, entry);
    return resource.report.diagnostics.map(({ column }) => column);
  };

  it.each([
    ['User.uid = "a${who}"', [14]],
    ['User.uid = "\\d${who}" and Verb = "x"', [15]],
    ['Verb in ("a", "${who}", "${b}")', [16, 26]],
    ['Annotations."${a}" = "x"', []],
    ['Annotations["${a}"] = "x"', []],
    ['User.uid = "$who{}"', []],
  ])('is warned of where it stands: %s', (macro, columns) => {
    expect(columnsOf(macro)).toEqual(columns);
  });
});
