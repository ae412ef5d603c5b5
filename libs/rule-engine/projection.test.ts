import { Field } from '@auditing/proto/event';
import type { DocumentNeed } from '@auditing/proto/rule';
import type { Condition } from './condition';
import type { Root } from './field-source';
import { parseCondition } from './parse-condition';
import { demandedResources, matchesNothing, ProjectionBuilder } from './projection';

function parsed(text: string): Condition {
  const { condition } = parseCondition(text);
  if (condition === undefined) throw new Error(`expected a condition: ${text}`);
  return condition;
}

/** A need in short: verbs/resources/subresources. */
function inShort({ verbs, resources, subresources }: DocumentNeed): string {
  return [verbs, resources, subresources].map((texts) => texts.join() || '*').join('/');
}

/** Of which events rules with these conditions need the document. */
function needs(texts: readonly string[], outputRoots: readonly Root[] = []): string[] {
  const builder = new ProjectionBuilder();
  for (const text of texts) builder.add(parsed(text), outputRoots);
  return builder.build().documents.map(inShort);
}

const read = 'RequestObject.x = 1';

it.each<[string, string[]]>([
  ['Verb = "a" and Level = "b" and User.username = "c"', []],
  [read, ['*/*/*']],
  [`Verb = "a" and ${read}`, ['a/*/*']],
  [`${read} and verb in ("b", "a") and objectRef.resource = "p"`, ['a,b/p/*']],
  [`ObjectRef.Subresource in ("t", "s") and ${read}`, ['*/*/s,t']],
  [`(ObjectRef.Subresource = "t" or ObjectRef.Subresource = "s") and ${read}`, ['*/*/s,t']],
  [`ObjectRef.Resource in ("q", "p") and ${read}`, ['*/p,q/*']],
  [`Verb = "a" or ${read}`, ['*/*/*']],
  [`(Verb = "a" and ${read}) or (Verb = "b" and Level = "c")`, ['a/*/*']],
  [`(Verb = "a" or ObjectRef.Resource = "p") and ${read}`, ['a/*/*', '*/p/*']],
  [`Verb in ("a", "b") and Verb in ("b", "c") and ${read}`, ['b/*/*']],
  [`Verb = "a" and Verb = "b" and ${read}`, []],
  [`(Verb = "a" or Verb = "b") and ObjectRef.Resource = "p" and ${read}`, ['a,b/p/*']],
  [`not (Verb = "a" and ${read})`, ['a/*/*']],
  [`(not Verb = "a") and ${read}`, ['*/*/*']],
  [`Verb not in ("a") and ${read}`, ['*/*/*']],
  [`Verb != "a" and ${read}`, ['*/*/*']],
  [`Verb = 1 and ${read}`, ['*/*/*']],
  [`Verb like "a" and ${read}`, ['*/*/*']],
  [`Verb[0] = "a" and ${read}`, ['*/*/*']],
  [`Level = "a" and ${read}`, ['*/*/*']],
  [`SourceIPs ipInCidr "::1" and ${read}`, ['*/*/*']],
  [`Verb = "a" and other = 1`, ['a/*/*']],
])('%s needs %j', (text, documents) => {
  expect(needs([text])).toEqual(documents);
});

describe('the needs of several rules', () => {
  const need = (of: string): string => {
    const [verbs = '*', resources = '*'] = of.split('/');
    const among = (field: string, texts: string): string =>
      texts === '*'
        ? ''
        : `${field} in (${texts
            .split(',')
            .map((text) => `"${text}"`)
            .join()}) and `;
    return `${among('Verb', verbs)}${among('ObjectRef.Resource', resources)}${read}`;
  };

  it.each<[string[], string[]]>([
    [['a/p', 'a/p'], ['a/p/*']],
    [['a/p', 'a/q'], ['a/p,q/*']],
    [['a/p', 'b/p'], ['a,b/p/*']],
    [
      ['a/p', 'b/q'],
      ['a/p/*', 'b/q/*'],
    ],
    [['a/p', 'a/*'], ['a/*/*']],
    [['a/*', 'a/p'], ['a/*/*']],
    [
      ['a/*', '*/p'],
      ['a/*/*', '*/p/*'],
    ],
    [['a,b/p,q', 'a/q'], ['a,b/p,q/*']],
    [['a/q', 'a,b/p,q'], ['a,b/p,q/*']],
    [
      ['a,b/p', 'b,c/q'],
      ['a,b/p/*', 'b,c/q/*'],
    ],
    [
      ['a,b/p', 'a,c/q'],
      ['a,b/p/*', 'a,c/q/*'],
    ],
    [
      ['a,b/p', 'a/p,q'],
      ['a,b/p/*', 'a/p,q/*'],
    ],
    [['a,b/p', 'a,c/p'], ['a,b,c/p/*']],
    [['a/p', '*/*', 'b/q'], ['*/*/*']],
  ])('%j are %j', (each, joined) => {
    expect(needs(each.map(need))).toEqual(joined);
  });

  it('are one around all of them once they are very many', () => {
    const many = (count: number): string[] =>
      Array.from({ length: count }, (_, i) => need(`v${i}/r${i}`));
    expect(needs(many(64))).toHaveLength(64);
    const [only, ...others] = needs(many(65));
    expect(others).toEqual([]);
    expect(only?.split('/').map((texts) => texts.split(',').length)).toEqual([65, 65, 1]);
  });
});

describe('what outputs read', () => {
  it('needs the documents of all events that the rule may match, if it is in no column', () => {
    const texts = ['Verb = "a" and ObjectRef.Resource = "p"'];
    expect(needs(texts, [{ field: 'ObjectRef.Name' }])).toEqual([]);
    expect(needs(texts, [{ field: 'RequestObject' }])).toEqual(['a/p/*']);
    expect(needs(texts, [{ field: 'ObjectRef.Name' }, { other: 'x' }])).toEqual(['a/p/*']);
  });

  it('is among the columns', () => {
    const builder = new ProjectionBuilder([Field.LEVEL]);
    builder.add(parsed('User.username = "a" and RequestObject exists'), [
      { field: 'ObjectRef.Name' },
      { field: 'Annotations' },
    ]);
    expect(builder.build().fields).toEqual([
      Field.LEVEL,
      Field.VERB,
      Field.USER,
      Field.RESOURCE,
      Field.SUBRESOURCE,
      Field.NAME,
    ]);
  });
});

describe('what a condition demands', () => {
  it.each<[string, string[] | undefined]>([
    ['ObjectRef.Resource = "p"', ['p']],
    ['ObjectRef.Resource in ("p", "q") and Verb = "a"', ['p', 'q']],
    ['ObjectRef.Resource = "p" or ObjectRef.Resource = "q"', ['p', 'q']],
    ['ObjectRef.Resource = "p" or Verb = "a"', undefined],
    ['ObjectRef.Subresource = "p"', undefined],
    ['ObjectRef.Resource = "p" and ObjectRef.Resource = "q"', []],
    ['not ObjectRef.Resource = "p"', undefined],
  ])('%s: the resources %j', (text, resources) => {
    const demanded = demandedResources(parsed(text));
    expect(demanded && [...demanded]).toEqual(resources);
  });

  it.each<[string, boolean]>([
    ['Verb = "a" and Verb = "b"', true],
    ['(Verb = "a" or Verb = "b") and (Verb = "c" or Verb = "d")', true],
    ['(Verb = "a" or Verb = "b") and (Verb = "b" or Verb = "c")', false],
    ['ObjectRef.Resource = "a" and ObjectRef.Resource in ("b", "c")', true],
    ['ObjectRef.Subresource = "a" and ObjectRef.Subresource = "b"', true],
    ['Verb = "a" and ObjectRef.Resource = "b"', false],
    ['Level = "a" and Level = "b"', false],
    ['Verb = "a" or (Verb = "a" and Verb = "b")', false],
  ])('%s matches nothing: %s', (text, expected) => {
    expect(matchesNothing(parsed(text))).toBe(expected);
  });

  it('is impossible of a list that is empty', () => {
    const member = parsed('Verb in ("a")');
    expect(matchesNothing({ ...member, items: [] } as Condition)).toBe(true);
  });
});
