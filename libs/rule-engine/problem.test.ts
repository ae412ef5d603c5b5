import { error, locate } from './problem';

/** Line, column and excerpt of the place in a text that is marked with `¦`. */
function placeOf(marked: string): [number, number, string] {
  const at = marked.indexOf('¦');
  const { line, column, excerpt } = locate(marked.replace('¦', ''), error(at, 'x'));
  return [line, column, excerpt];
}

const x = 'x'.repeat(100);

it.each([
  ['¦', [1, 1, '\n^']],
  ['ab ¦cd', [1, 4, 'ab cd\n   ^']],
  ['a¦b\ncd\nef', [1, 2, 'ab\n ^']],
  ['ab\nc¦d\nef', [2, 2, 'cd\n ^']],
  ['ab\ncd\n¦ef', [3, 1, 'ef\n^']],
  ['ab¦\ncd', [1, 3, 'ab\n  ^']],
  ['\ta\t¦b  ', [1, 4, '\ta\tb\n\t \t^']],
  ['😀¦b', [1, 2, '😀b\n ^']],
  [`${x}¦${x}`, [1, 101, `${'x'.repeat(120)}\n${' '.repeat(60)}^`]],
  [`\n${x}¦${x}\n`, [2, 101, `${'x'.repeat(120)}\n${' '.repeat(60)}^`]],
])('finds the place in %j', (marked, place) => {
  expect(placeOf(marked)).toEqual(place);
});

it('takes a place behind the text for its end', () => {
  expect(locate('ab', error(9, 'x'))).toMatchObject({ line: 1, column: 3, excerpt: 'ab\n  ^' });
});
