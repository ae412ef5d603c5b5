import { Source } from '@auditing/proto/event';
import fc from 'fast-check';
import { decodeBody } from './decode-body';
import { BodyError, splitBody } from './split-body';

/** Some tests below walk ten million bytes or thousands of generated bodies. */

const E1 = '{"auditID":"a","level":"Metadata"}';
const E2 = '{ "AuditID" : "b\\"}{", "x": [[{}]] }';
const LIST = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${E1},${E2}]}\n`;

/** Every body that holds E1 and E2, in this order. */
const BOTH: readonly (readonly [string, string])[] = [
  ['an EventList', LIST],
  ['an EventList of v1beta1', LIST.replace('audit.k8s.io/v1', 'audit.k8s.io/v1beta1')],
  ['a list before its kind', `{"items":[${E1},${E2}],"kind":"EventList"}`],
  ['Items', `{"Items":[${E1},${E2}]}`],
  ['ITEMS with white space', ` {\t"ITEMS" :\r\n[ ${E1} , ${E2} ] } `],
  ['a list key with an escape', `{"it\\u0065ms":[${E1},${E2}]}`],
  ['a bare array', `[${E1},${E2}]`],
  ['a byte-order mark', `\ufeff[${E1},${E2}]`],
  ['objects back to back', `${E1}${E2}`],
  ['objects on lines', `${E1}\n${E2}\n`],
  ['objects with blanks', `  ${E1} \r\n\t ${E2}`],
  ['a list and an event', `{"Items":[${E1}]}${E2}`],
  ['two lists', `{"items":[${E1}]}{"items":[${E2}]}\n`],
  ['an empty list between', `${E1}[]{"items":null}${E2}`],
  ['two list keys', `{"items":[${E1}],"Items":[${E2}]}`],
];

const split = (text: string) => splitBody(Buffer.from(text));
const texts = (text: string) => split(text).slices.map(String);

function errorOf(body: Buffer | string): unknown {
  try {
    return splitBody(typeof body === 'string' ? Buffer.from(body) : body);
  } catch (error) {
    return error;
  }
}

describe('splitBody', () => {
  test.each(BOTH)('finds the events of %s', async (_, body) => {
    expect(texts(body)).toEqual([E1, E2]);
    const { events } = await decodeBody(Buffer.from(body));
    expect(events.map(({ bytes }) => String(bytes))).toEqual([E1, E2]);
  });

  test.each([
    ['{"items":[]}'],
    ['{"Items":[ ]}'],
    ['{"items":null}'],
    ['[]'],
    ['[][]'],
    ['{"kind":"EventList","items":[]}\n'],
  ])('takes %s for a list without events', (body) => {
    expect(split(body)).toMatchObject({ slices: [], badItems: [] });
  });

  test.each<[string, string, RegExp]>([
    ['', '$', /empty/],
    [' \r\n', '$', /empty/],
    ['\ufeff', '$', /empty/],
    ['{}', '$', /none of them/],
    ['{"foo":1}', '$', /none of them/],
    ['{"kind":"EventList","metadata":{}}', '$', /none of them/],
    ['null', '$', /JSON object/],
    ['"text"', '$', /JSON object/],
    ['12', '$', /JSON object/],
    ['[1,"x",null]', '$[0]', /none of 3 items/],
    ['{"items":[[],7]}', '$.items[0]', /none of 2 items/],
    ['{"items":{}}', '$.items', /array of events or null/],
    ['{"items":"x"}', '$.items', /array of events or null/],
    [`{"items":[${E1}`, 'byte 44', /the body ends/],
    [`{"items":[${E1},`, 'byte 45', /expected a value/],
    [`{"items":[{"auditID":"a`, '$.items', /inside a value; send it whole/],
    [`{"items":[${E1},]}`, 'byte 45', /expected a value/],
    [`{"items":[,${E1}]}`, 'byte 10', /expected a value/],
    [`{"items":[${E1}]`, 'byte 45', /the body ends/],
    [`{"items":[${E1}]},`, 'byte 46', /expected a value/],
    [`{"items" [${E1}]}`, 'byte 9', /expected ":"/],
    [`{items:[${E1}]}`, 'byte 1', /a key in quotes/],
    ['{"auditID', 'byte 9', /the end of a key/],
    ['<html>', '$', /JSON object/],
    ['items=%5B%5D', '$', /JSON object/],
  ])('refuses %j, saying where', (body, at, message) => {
    expect(() => split(body)).toThrow(BodyError);
    expect(() => split(body)).toThrow(message);
    expect(errorOf(body)).toMatchObject({ at });
  });

  test('reports bad items beside good ones, with path and bytes', () => {
    const { slices, badItems } = split(`{"Items":[1,${E1},[{}],"x\\"]",${E2},null]}`);
    expect(slices.map(String)).toEqual([E1, E2]);
    expect(badItems.map(({ at, bytes }) => [at, String(bytes)])).toEqual([
      ['$.Items[0]', '1'],
      ['$.Items[2]', '[{}]'],
      ['$.Items[3]', '"x\\"]"'],
      ['$.Items[5]', 'null'],
    ]);
  });

  test('reports bad values among several with their position', () => {
    const { slices, badItems } = split(`${E1} {"foo":1} [2]`);
    expect(slices).toHaveLength(1);
    expect(badItems.map(({ at }) => at)).toEqual(['byte 35: $', 'byte 46: $[0]']);
  });

  test.each([
    [`{"items":[{}]}`, Source.KUBERNETES],
    [`{"Items":[{}]}`, Source.KUBE_AI_HUB],
    [`[{"verb":"get"}]`, Source.KUBERNETES],
    [`{"Verb":"get"}`, Source.KUBE_AI_HUB],
    [`{"Items":[{}]}{"items":[{}]}`, Source.KUBE_AI_HUB],
  ])('takes the list source of %s from its key', (body, source) => {
    expect(split(body).listSource).toBe(source);
  });

  test('walks ten million open brackets without recursion', () => {
    expect(() => split('['.repeat(10_000_000))).toThrow(BodyError);
    expect(() => split('{"items":[' + '['.repeat(10_000_000))).toThrow(BodyError);
    expect(() => split('{"items":'.repeat(1_000_000))).toThrow(BodyError);
  });

  test('refuses a body of more items than can be events', () => {
    expect(() => split(`[${'{},'.repeat(500_000)}{}]`)).toThrow(/more than 500000 items/);
  });

  test('never throws anything but BodyError', async () => {
    const jsonish = fc
      .array(fc.constantFrom(...Array.from('{}[]",:\\ \n1'), '"items":', 'null', E1, '\u0000'), {
        maxLength: 40,
      })
      .map((parts) => Buffer.from(parts.join('')));
    const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));
    await fc.assert(
      fc.asyncProperty(fc.oneof(bytes, jsonish), async (body) => {
        const thrown = [errorOf(body), await decodeBody(body).catch((error: unknown) => error)];
        expect(
          thrown.filter((error) => error instanceof Error && !(error instanceof BodyError)),
        ).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  test('gives back exactly the bytes of any objects in any form', async () => {
    const event = fc
      .tuple(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 1, '\t'))
      .map(([fields, indent]) =>
        JSON.stringify({ auditID: 'x', ...fields, level: 'y' }, null, indent),
      )
      // A field named items would make a list of a bare event.
      .filter((text) => !/"items"/i.test(text));
    const space = fc.constantFrom('', ' ', '\n', '\r\n\t ');
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1 }), space, async (events, gap) => {
        const forms = [
          `${gap}[${events.join(`${gap},${gap}`)}]`,
          `{"kind":"EventList",${gap}"items":${gap}[${events.join(',')}${gap}]${gap}}`,
          `{"Items":[${events.join(',')}]}`,
          events.join(gap),
        ];
        for (const form of forms) {
          const body = Buffer.from(form);
          expect(splitBody(body).slices.map(String)).toEqual(events);
          const decoded = await decodeBody(body);
          expect(decoded.events.map(({ bytes }) => String(bytes))).toEqual(events);
        }
      }),
      { numRuns: 300 },
    );
  });
});
