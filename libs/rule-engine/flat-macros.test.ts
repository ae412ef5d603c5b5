import * as fc from 'fast-check';
import { Dictionary } from './dictionary';
import { parseCondition } from './parse-condition';
import { printCondition } from './print-condition';
import type { Resource } from './rule-set';
import { readRuleResource } from './rule-resource';
import { buildRuleSet } from './rule-set';
import { problemsOf, rule, webhook } from './testing/rule-sets';

/** A Rule resource with these macros, whose conditions take them as the original does. */
function flatResource(macros: Record<string, string>, value = 'false'): Resource {
  const annotations = { 'auditing.kubesphere.io/macro-parentheses': value };
  const rules = Object.entries(macros).map(([name, macro]) => ({ name, type: 'macro', macro }));
  return { metadata: { name: 'r', annotations, labels: { type: 'alerting' } }, spec: { rules } };
}

/** The condition that a text with these macros means, printed. */
function meaning(text: string, resource: Resource): string | undefined {
  const read = readRuleResource(resource);
  const usable = new Dictionary([read], () => []).read(read, text, 'text');
  return usable && printCondition(usable.condition);
}

it.each([
  ['C and ${m}', 'A or B', '(C and A) or B'],
  ['${m} and C', 'A or B', '(A or B) and C'],
  ['${m} and C', 'not A', 'not (A and C)'],
  ['C or ${m} and D', 'not A or B', 'C or (not ((A or B) and D))'],
  ['not ${m} or C', 'A and B', 'not ((A and B) or C)'],
  ['C and (${m}) and D', 'A or B', 'C and (A or B) and D'],
  ['!${m}&&C', 'A or B', 'not ((A or B) and C)'],
  ['C and ${m}', 'User.uid = "x) or (" or B', '(C and User.uid = "x) or (") or B'],
])('takes apart %s with %s', (text, macro, expected) => {
  expect(meaning(text, flatResource({ m: macro }))).toBe(expected);
});

it('puts in lists and aliases where macros are taken apart, too', () => {
  const resource = flatResource({ m: '${who} in ${few} or B' }) as { spec: { rules: Resource[] } };
  resource.spec.rules.push(
    { name: 'who', type: 'alias', alias: 'User.uid' },
    { name: 'few', type: 'list', list: ['x'] },
  );
  expect(meaning('C and ${m}', resource)).toBe('(C and User.uid in ("x")) or B');
});

it('keeps macros together where nobody asks for it', () => {
  expect(meaning('C and ${m}', flatResource({ m: 'A or B' }, 'true'))).toBe('C and (A or B)');
});

it('takes macros of macros apart too, each as the resource that uses it says', () => {
  const flat = flatResource({ m: 'A and ${n} or D', n: 'B or C' });
  expect(meaning('E and ${m}', flat)).toBe('(E and A and B) or C or D');
  const plain = {
    metadata: { name: 'p' },
    spec: {
      rules: [
        { name: 'm', type: 'macro', macro: 'A and ${n}' },
        { name: 'n', type: 'macro', macro: 'B or C' },
      ],
    },
  };
  const [one, other] = [readRuleResource(flat), readRuleResource(plain)];
  const dictionary = new Dictionary([one, other], () => []);
  const print = (in_: typeof one, text: string): string | undefined => {
    const usable = dictionary.read(in_, text, 'text');
    return usable && printCondition(usable.condition);
  };
  expect(print(one, 'D or ${p.m}')).toBe('(D or A) and (B or C)');
  expect(print(other, 'D or ${p.m}')).toBe('D or (A and (B or C))');
  expect(print(other, 'D or ${r.n}')).toBe('D or (B or C)');
});

it('means what the text with the macro put in means', () => {
  const word = fc.constantFrom('and', 'or');
  const test = fc.constantFrom('A', 'B = 1', 'C in ("x", "(")', 'not D', '(E or F)');
  const chain = fc
    .tuple(test, fc.array(fc.tuple(word, test), { maxLength: 3 }))
    .map(([first, rest]) => [first, ...rest.flat()].join(' '));
  const operand = fc.oneof(test, fc.constant('${m}'));
  const using = fc
    .tuple(operand, fc.array(fc.tuple(word, operand), { minLength: 1, maxLength: 3 }))
    .map(([first, rest]) => [first, ...rest.flat()].join(' '));
  fc.assert(
    fc.property(using, chain, (text, macro) => {
      const { condition } = parseCondition(text.replaceAll('${m}', macro));
      expect(meaning(text, flatResource({ m: macro }))).toBe(
        condition && printCondition(condition),
      );
    }),
  );
});

it('leaves a condition out that is too long with its macros', () => {
  const macros = { a: Array.from({ length: 100 }, () => 'Verb = "x"').join(' or ') };
  const many = Array.from({ length: 99 }, () => '${a}').join(' or ');
  const resource = flatResource(macros) as { spec: { rules: Resource[] } };
  resource.spec.rules.push(rule('x', many), rule('y', '${a}'));
  const set = buildRuleSet({ rules: [resource], webhook });
  expect(problemsOf(set)).toContainEqual(
    expect.stringContaining('with the text of its macros put in, a condition has at most 65536'),
  );
  expect(set.ruleNames.map(({ name }) => name)).toEqual(['r.y']);
});

it('warns of an annotation that says neither', () => {
  const set = buildRuleSet({ rules: [flatResource({}, 'no')], webhook });
  expect(problemsOf(set)).toContainEqual(
    expect.stringContaining('expected "true" or "false", found `no`; taken as "true"'),
  );
});

it('makes another version of a rule set', () => {
  const versionOf = (value: string): string =>
    buildRuleSet({ rules: [flatResource({}, value)], webhook }).version;
  expect(versionOf('false')).not.toBe(versionOf('true'));
});
