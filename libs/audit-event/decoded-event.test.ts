import { Source, Strip } from '@auditing/proto/event';
import { decodeEvent } from './decoded-event';
import type { EventField } from './event-fields';

const decode = (value: unknown, source = Source.KUBERNETES) =>
  decodeEvent(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), source);
/** Makes an event large enough for its bodies to be built late. */
const PAD = 'x'.repeat(5000);

describe.each([
  ['a small event', ''],
  ['a large event', PAD],
])('%s', (_, pad) => {
  test('has its bodies, parsed when asked for', () => {
    const event = decode({ pad, requestObject: { a: [1] }, responseObject: null });
    expect(event.get('RequestObject')).toEqual({ a: [1] });
    expect(event.get('RequestObject')).toBe(event.get('RequestObject'));
    expect(event.other('requestObject')).toEqual({ a: [1] });
    expect(event.get('ResponseObject')).toBeUndefined();
    expect([event.hasObject('RequestObject'), event.hasObject('ResponseObject')]).toEqual([
      true,
      false,
    ]);
  });

  test('takes the last of duplicate bodies, and one that is there before one that is null', () => {
    expect(
      decode(`{"pad":"${pad}","requestObject":1,"requestObject":[2]}`).get('RequestObject'),
    ).toEqual([2]);
    const nulled = decode(`{"pad":"${pad}","requestObject":[2],"requestObject":null}`);
    expect(nulled.hasObject('RequestObject')).toBe(false);
    expect(decode({ pad, requestObject: null, RequestObject: 0 }).get('RequestObject')).toBe(0);
    expect(decode({ pad, REQUESTOBJECT: { a: 1 } }).get('RequestObject')).toEqual({ a: 1 });
    expect(decode(`{"pad":"${pad}","request\\u004fbject":{"a":1}}`).get('RequestObject')).toEqual({
      a: 1,
    });
  });

  test('has no field that is only on the prototype of objects', () => {
    const event = decode(
      `{"pad":"${pad}","__proto__":{"verb":"x"},"requestObject":{"__proto__":1}}`,
    );
    expect(event.other('constructor')).toBeUndefined();
    expect(event.other('toString')).toBeUndefined();
    expect(event.other('__proto__')).toEqual({ verb: 'x' });
    expect(event.get('Verb')).toBe('');
  });

  test('loses its bodies in a strip, in bytes and fields', () => {
    const event = decode({ pad, Workspace: '', requestObject: { a: 1 }, responseObject: { b: 2 } });
    event.fillWorkspace('ws');
    const stripped = event.stripped(Strip.RESPONSE);
    expect(stripped.get('RequestObject')).toEqual({ a: 1 });
    expect(stripped.get('ResponseObject')).toBeUndefined();
    expect(stripped.get('Workspace')).toBe('ws');
    expect(JSON.parse(String(stripped.bytes))).toEqual({
      pad,
      Workspace: '',
      requestObject: { a: 1 },
    });
    expect(stripped.stripped(Strip.RESPONSE)).toBe(stripped);
    expect(event.stripped(Strip.UNSPECIFIED)).toBe(event);
  });

  test('is refused if it is not exactly one valid object', () => {
    for (const text of [
      `{"pad":"${pad}","requestObject":{"a":1}}x`,
      `{"pad":"${pad}","requestObject":{"a":1}`,
      `{"pad":"${pad}","requestObject":{"a" 1}}`,
      `{"pad":"${pad}","requestObject":{"a":"\n"}}`,
      `{"pad":"${pad}","requestObject":{}"b"}`,
      `{"pad":"${pad}" "requestObject":{}}`,
      `["${pad}"]`,
    ]) {
      expect(() => decode(text)).toThrow(SyntaxError);
    }
  });
});

test.each<[EventField, unknown, unknown]>([
  ['Verb', { verb: 'GET' }, 'get'],
  ['Verb', { Verb: 'Delete' }, 'delete'],
  ['Verb', { VERB: 'x' }, 'x'],
  ['Verb', {}, ''],
  ['Verb', { verb: null }, ''],
  ['Verb', { verb: 7 }, 7],
  ['AuditID', { auditID: 'a' }, 'a'],
  ['RequestURI', { requestURI: '/a' }, '/a'],
  ['SourceIPs', { sourceIPs: ['1'] }, ['1']],
  ['SourceIPs', {}, undefined],
  ['User', {}, undefined],
  ['User.username', { User: { username: 'u' } }, 'u'],
  ['User.username', { user: { Username: 'u' } }, 'u'],
  ['User.username', { user: {} }, undefined],
  ['User.username', { user: 'x' }, undefined],
  ['ObjectRef.Namespace', {}, undefined],
  ['ObjectRef.Namespace', { objectRef: null }, undefined],
  ['ObjectRef.Namespace', { objectRef: {} }, ''],
  ['ObjectRef.APIGroup', { objectRef: { apiGroup: 'apps' } }, 'apps'],
  ['ObjectRef.APIGroup', { ObjectRef: { APIGroup: 'apps' } }, 'apps'],
  ['ObjectRef.UID', { objectRef: { uid: 'u' } }, 'u'],
  ['ResponseStatus.code', { responseStatus: { code: 200 } }, 200],
  ['ResponseStatus.reason', { responseStatus: {} }, undefined],
  ['Workspace', {}, 'filled'],
  ['Workspace', { Workspace: '' }, 'filled'],
  ['Workspace', { Workspace: 'own' }, 'own'],
  ['HostIP', { HostIP: '10.0.0.1' }, '10.0.0.1'],
  ['Annotations', { annotations: { 'a.b/c': 'd' } }, { 'a.b/c': 'd' }],
])('%s of %j is %j', (field, event, value) => {
  for (const pad of [{}, { pad: PAD }]) {
    const decoded = decode({ ...(event as object), ...pad });
    decoded.fillWorkspace('filled');
    expect(decoded.get(field)).toEqual(value);
  }
});

test('the source is known by the case of the audit id alone', () => {
  expect(decode({ auditID: 'a' }, Source.KUBE_AI_HUB).source).toBe(Source.KUBERNETES);
  expect(decode({ AuditID: 'a' }).source).toBe(Source.KUBE_AI_HUB);
  expect(decode({ auditId: 'a' }, Source.KUBE_AI_HUB).source).toBe(Source.KUBE_AI_HUB);
});

test('bytes that are not UTF-8 are kept and read as the replacement character', () => {
  const bytes = Buffer.concat([Buffer.from('{"verb":"'), Buffer.from([0xff]), Buffer.from('"}')]);
  const event = decodeEvent(bytes, Source.KUBERNETES);
  expect(event.get('Verb')).toBe('\ufffd');
  expect(event.bytes.equals(bytes)).toBe(true);
});

test.each([['requestObject'], ['annotations']])(
  '%s nested deeper than Go reads is refused, nested 400 deep it is not',
  (key) => {
    const nested = (depth: number) =>
      `{"pad":"${PAD}","${key}":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(decode(nested(400)).other(key)).toBeDefined();
    expect(decode(nested(9_999)).other(key)).toBeDefined();
    expect(() => decode(nested(10_001))).toThrow(SyntaxError);
  },
);
