import { printPath, readPath } from './path-text';

it.each([
  ['a.b', 'a.b'],
  ['a[0][*].b[1:2][:3][4:]', 'a[0][*].b[1:2][0:3][4:]'],
  ['a."b"."c/d"', 'a.b."c/d"'],
  ['a["b"]["c\\"\\\\"]', 'a.b."c\\"\\\\"'],
  ['${ ports }[*].hostPort', '${ports}[*].hostPort'],
])('reads %s as %s', (text, printed) => {
  expect(printPath(readPath(text, 7))).toBe(printed);
});

it('says where a path stands', () => {
  expect(readPath('a.b', 7)).toEqual({
    kind: 'path',
    isReference: false,
    segments: [
      { key: 'a', indexes: [] },
      { key: 'b', indexes: [] },
    ],
    from: 7,
    to: 10,
  });
  expect(readPath('${a}', 2)).toMatchObject({ isReference: true, from: 2, to: 6 });
});

it('gives equal texts the same segments, unless they are longer than any honest one', () => {
  const isShared = (length: number): boolean => {
    const text = 'x'.repeat(length);
    return readPath(text, 0).segments === readPath(text, 5).segments;
  };
  expect([3, 256, 257].map(isShared)).toEqual([true, true, false]);
});
