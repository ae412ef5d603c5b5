import type { Condition } from './condition';
import { FieldReader } from './field-source';
import { parseCondition } from './parse-condition';
import { PartialEvaluation, Planner, type Plan, type Residual } from './plan';
import { event } from './testing/rule-sets';

function parsed(text: string): Condition {
  const { condition } = parseCondition(text);
  if (condition === undefined) throw new Error(`expected a condition: ${text}`);
  return condition;
}

function planOf(planner: Planner, text: string): Plan {
  const plan = planner.plan(parsed(text));
  if ('severity' in plan) throw new Error(plan.message);
  return plan;
}

describe('equal parts', () => {
  it.each([
    ['Verb = "a"', 'verb  =  "a"'],
    ['Verb in ("a", "b")', 'Verb in ("a","b")'],
    ['User.Username exists', 'user.username exists'],
    ['Verb and Level', 'Level and Verb'],
    ['Verb and (Level and Stage)', '(Verb and Level) and Stage'],
    ['Verb and Verb', 'Verb'],
    ['Verb or Level or Verb', 'Level or Verb'],
    ['not (not Verb)', 'Verb'],
    ['not Verb', 'not (not (not Verb))'],
  ])('%s and %s are one', (one, other) => {
    const planner = new Planner(new FieldReader());
    expect(planOf(planner, one)).toBe(planOf(planner, other));
  });

  it.each([
    ['Verb = "a"', 'Verb = "b"'],
    ['Verb = "a"', 'Verb != "a"'],
    ['Verb = "a"', 'Level = "a"'],
    ['User.uid = 1', 'User.uid = "1"'],
    ['User.uid = true', 'User.uid = false'],
    ['User.uid = true', 'User.uid'],
    ['User.uid exists', 'User.uid'],
    ['User.uid exists', 'User.uid not exists'],
    ['Verb in ("a", "b")', 'Verb in ("a,b")'],
    ['Verb in ("a", "1")', 'Verb in ("a", 1)'],
    ['Verb in ("a")', 'Verb not in ("a")'],
    ['Verb contains "a"', 'Verb like "a"'],
    ['Verb contains "a"', 'Verb not contains "a"'],
    ['Verb and Level', 'Verb or Level'],
    ['Verb', 'not Verb'],
    ['Verb and (Level or Stage)', '(Verb and Level) or Stage'],
  ])('%s and %s are two', (one, other) => {
    const planner = new Planner(new FieldReader());
    expect(planOf(planner, one)).not.toBe(planOf(planner, other));
  });

  it('are not shared between a planner and its fork, whose plans have other numbers', () => {
    const planner = new Planner(new FieldReader());
    const fork = planner.fork();
    const ids = [planner, fork, planner, fork].map((each, i) => planOf(each, `f${i} exists`).id);
    expect(new Set(ids).size).toBe(4);
  });
});

describe('cost', () => {
  it('is least for what is in columns, then for patterns, and most for what is in the document', () => {
    const costs = ['Verb = "a"', 'Verb regex "a"', 'RequestObject.a = 1', 'other = 1'].map(
      (text) => planOf(new Planner(new FieldReader()), text).cost,
    );
    expect(costs).toEqual([1, 2, 1_000_000, 1_000_000]);
  });

  it('is that of all parts, and the same for the opposite', () => {
    const planner = new Planner(new FieldReader());
    const costOf = (text: string): number => planOf(planner, text).cost;
    expect(costOf('Verb regex "a" and (Verb = "a" or Level = "b")')).toBe(4);
    expect(costOf('not (Verb regex "a" or Level = "b")')).toBe(3);
  });

  it('decides which part is asked first, else the order in which they were planned', () => {
    const planner = new Planner(new FieldReader());
    const texts = ['RequestObject.a = 1', 'Level = "2"', 'Level regex "a"', 'Verb = "1"'];
    const [document, second, pattern, last] = texts.map((text) => planOf(planner, text));
    const plan = planOf(planner, [texts[0], texts[2], texts[3], texts[1]].join(' and '));
    expect(plan).toMatchObject({ kind: 'and', parts: [second, last, pattern, document] });
  });
});

it.each([
  ['Verb = "a"', true],
  ['objectref.resource in ("a")', true],
  ['ObjectRef.Subresource exists', true],
  ['Verb[0] = "a"', false],
  ['Verb.a = "a"', false],
  ['ObjectRef.Name = "a"', false],
  ['other = "a"', false],
])('%s reads nothing but what the index is over: %s', (text, expected) => {
  expect(planOf(new Planner(new FieldReader()), text)).toMatchObject({ isIndexed: expected });
});

it.each([
  'Verb regex "("',
  'Verb exists and Verb regex "("',
  'Verb exists or (Level exists and Verb regex "(")',
  'not Verb regex "("',
])('says what is wrong with %s', (text) => {
  expect(new Planner(new FieldReader()).plan(parsed(text))).toMatchObject({
    message: expect.stringContaining('expected a regular expression') as string,
  });
});

describe('what is left once verb, resource and subresource are known', () => {
  const known = { Verb: 'get', ObjectRef: { Resource: 'pods' } };
  const tests = ['Level = "a"', 'Stage = "b"', 'User.uid = "c"', 'Verb > 5'];

  /** What is left of a condition, as a text. */
  function residualOf(text: string): { plan: Plan; residual: Residual; printed: string } {
    const reader = new FieldReader();
    const planner = new Planner(reader);
    const names = new Map(tests.map((test) => [planOf(planner, test), test]));
    const print = (part: Plan): string => {
      switch (part.kind) {
        case 'test':
          return names.get(part) ?? '?';
        case 'not':
          return `not (${print(part.part)})`;
        default:
          return part.parts.map((each) => `(${print(each)})`).join(` ${part.kind} `);
      }
    };
    const plan = planOf(planner, text);
    reader.begin(event(known));
    const residual = new PartialEvaluation(reader, planner).residual(plan);
    const printed = typeof residual === 'boolean' ? String(residual) : print(residual);
    return { plan, residual, printed };
  }

  it.each([
    ['Verb = "get"', 'true'],
    ['Verb = "list"', 'false'],
    ['not Verb = "get"', 'false'],
    ['Verb = "get" and ObjectRef.Resource in ("pods")', 'true'],
    ['Verb = "list" or ObjectRef.Resource = "secrets"', 'false'],
    ['Verb = "get" and Level = "a"', 'Level = "a"'],
    ['Verb = "list" and Level = "a"', 'false'],
    ['Verb = "get" or Level = "a"', 'true'],
    ['Verb = "list" or Level = "a"', 'Level = "a"'],
    ['not (Verb = "list" or Level = "a")', 'not (Level = "a")'],
    ['Verb = "get" and (Verb = "list" or not Level = "a")', 'not (Level = "a")'],
    ['Verb = "get" and Level = "a" and Stage = "b"', '(Level = "a") and (Stage = "b")'],
    [
      'Level = "a" and (Stage = "b" or (Verb = "get" and User.uid = "c"))',
      '(Level = "a") and ((Stage = "b") or (User.uid = "c"))',
    ],
    [
      'Level = "a" or (Verb = "get" and (Stage = "b" or User.uid = "c"))',
      '(Level = "a") or (Stage = "b") or (User.uid = "c")',
    ],
    ['Verb > 5 and Level = "a"', '(Level = "a") and (Verb > 5)'],
  ])('of %s: %s', (text, left) => {
    expect(residualOf(text).printed).toBe(left);
  });

  it.each(['Level = "a"', 'not Level = "a"', 'Level = "a" and (Stage = "b" or User.uid = "c")'])(
    'is %s itself if they decide nothing',
    (text) => {
      const { plan, residual } = residualOf(text);
      expect(residual).toBe(plan);
    },
  );
});
