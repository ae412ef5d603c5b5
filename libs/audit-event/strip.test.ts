import { Strip } from '@auditing/proto/event';
import fc from 'fast-check';
import { stripBodies } from './strip';

const strip = (text: string, how: Strip) => String(stripBodies(Buffer.from(text), how));

describe('stripBodies', () => {
  test.each([
    ['{"requestObject":1,"a":2}', '{"a":2}'],
    ['{"a":2,"requestObject":1}', '{"a":2}'],
    ['{"a":1,"RequestObject":{"x":[1]},"b":2}', '{"a":1,"b":2}'],
    ['{"a":1,"requestObject":{},"responseObject":[],"b":2}', '{"a":1,"b":2}'],
    ['{ "a" : 1 ,\n "requestObject" : {} ,\n "b" : 2 }\n', '{ "a" : 1 ,\n "b" : 2 }\n'],
    ['{"requestObject":1}', '{}'],
    ['{ "requestObject":1, "ResponseObject":2 }', '{  }'],
    ['{"requestObject":1,"requestObject":2,"a":3,"requestObject":4}', '{"a":3}'],
    ['{"REQUESTobject":1,"request\\u004fbject":2,"a":3}', '{"a":3}'],
    [
      '{"a":{"requestObject":1},"b":"requestObject"}',
      '{"a":{"requestObject":1},"b":"requestObject"}',
    ],
    ['{"requestObjects":1,"a":9007199254740993}', '{"requestObjects":1,"a":9007199254740993}'],
  ])('turns %s into %s', (before, after) => {
    expect(strip(before, Strip.BODIES)).toBe(after);
  });

  test('removes what the strip says and returns the bytes themselves where nothing goes', () => {
    const text = '{"requestObject":1,"responseObject":2}';
    expect(strip(text, Strip.RESPONSE)).toBe('{"requestObject":1}');
    expect(strip(text, Strip.BODIES)).toBe('{}');
    const bytes = Buffer.from(text);
    expect(stripBodies(bytes, Strip.UNSPECIFIED)).toBe(bytes);
    const other = Buffer.from('{"a":1}');
    expect(stripBodies(other, Strip.BODIES)).toBe(other);
  });

  test('leaves JSON.parse of the event minus these keys, for any event', () => {
    const key = fc.oneof(
      fc.string(),
      fc.constantFrom('requestObject', 'ResponseObject', 'responseObject'),
    );
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue()), fc.constantFrom(0, 2), (event, indent) => {
        const text = JSON.stringify(event, null, indent);
        const kept = Object.entries(JSON.parse(text) as object).filter(
          ([name]) => !/^(request|response)object$/i.test(name),
        );
        expect(JSON.parse(strip(text, Strip.BODIES))).toEqual(Object.fromEntries(kept));
      }),
      { numRuns: 500 },
    );
  });
});
