import { printSelector, readSelector, selects, type LabelSelector } from './label-selector';
import { Report } from './report';
import { ObjectReader } from './resource-reader';
import type { Resource } from './rule-set';

function read(selector: Resource): { selector: LabelSelector; problems: string[] } {
  const report = new Report('Webhook/w');
  const reader = ObjectReader.of(selector, 'spec.selector', report);
  return {
    selector: readSelector(reader, 'archiving'),
    problems: report.diagnostics.map(({ path, message }) => `${path}: ${message}`),
  };
}

const expression = (operator: string, values?: string[], key = 'a'): Resource => ({
  matchExpressions: [{ key, operator, ...(values && { values }) }],
});

it.each<[Resource, string, Record<string, string>, boolean]>([
  [{}, 'type=archiving', { type: 'archiving' }, true],
  [{ matchLabels: {} }, 'type=archiving', { type: 'x' }, false],
  [{ matchLabels: { a: '1', b: 2 } }, 'a=1, b=2', { a: '1', b: '2', c: '3' }, true],
  [{ matchLabels: { a: '1', b: '2' } }, 'a=1, b=2', { a: '1' }, false],
  [expression('In', ['1', '2']), 'a in (1,2)', { a: '2' }, true],
  [expression('In', ['1', '2']), 'a in (1,2)', { a: '3' }, false],
  [expression('In', ['1', '2']), 'a in (1,2)', {}, false],
  [expression('In', ['1']), 'a=1', { a: '1' }, true],
  [expression('NotIn', ['1', '2']), 'a notin (1,2)', { a: '1' }, false],
  [expression('NotIn', ['1', '2']), 'a notin (1,2)', { a: '3' }, true],
  [expression('NotIn', ['1']), 'a notin (1)', {}, true],
  [expression('Exists'), 'a', { a: '' }, true],
  [expression('Exists'), 'a', { b: '' }, false],
  [expression('DoesNotExist'), '!a', { a: '' }, false],
  [expression('DoesNotExist'), '!a', { b: '' }, true],
])('%j, which is %s, picks %j: %s', (resource, text, ...[labels, expected]) => {
  const { selector, problems } = read(resource);
  expect(problems).toEqual([]);
  expect(printSelector(selector)).toBe(text);
  expect(selects(selector, new Map(Object.entries(labels)))).toBe(expected);
});

it.each<[Resource, string]>([
  [expression('Like'), '[0].operator: expected In, NotIn, Exists or DoesNotExist, found `Like`'],
  [expression('Exists', undefined, ''), '[0]: expected the key of a label'],
  [expression('In'), '[0].values: expected at least one value for In'],
  [expression('NotIn', []), '[0].values: expected at least one value for NotIn'],
  [
    { matchExpressions: [{ key: 'a', operator: 'Exists' }, 5] },
    '[1]: expected an object, found `5`',
  ],
])('leaves out of %j what it cannot read', (resource, problem) => {
  const { problems } = read({ matchLabels: { b: '1' }, ...(resource as object) });
  expect(problems[0]).toBe(`spec.selector.matchExpressions${problem}`);
  expect(selects(read(resource).selector, new Map([['a', '']]))).toBe(problem.startsWith('[1]'));
});

it('picks by what is left of a selector: too many is the safer mistake', () => {
  const { selector } = read({ matchLabels: { b: '1' }, ...(expression('Like') as object) });
  expect(printSelector(selector)).toBe('b=1');
});
