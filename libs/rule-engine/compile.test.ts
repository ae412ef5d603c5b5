import { compileTest } from './compile';
import { FieldReader } from './field-source';
import { FALSE, MISMATCH, TRUE } from './outcome';
import { parseCondition } from './parse-condition';
import { event } from './testing/rule-sets';

/** What a test says of an event. */
function ask(text: string, fields: Record<string, unknown>): unknown {
  const { condition } = parseCondition(text);
  if (condition === undefined || !('path' in condition))
    throw new Error(`expected a test: ${text}`);
  const reader = new FieldReader();
  const compiled = compileTest(condition, reader);
  if (typeof compiled !== 'function') return compiled.message;
  reader.begin(event(fields));
  return compiled(reader);
}

const ips = ['1.1.1.1', '10.0.0.1'];

it.each([
  ['SourceIPs ipInCidr "10.0.0.0/8"', { SourceIPs: ips }, TRUE],
  ['SourceIPs ipInCidr "11.0.0.0/8"', { SourceIPs: ips }, FALSE],
  ['SourceIPs[0] ipInCidr "10.0.0.0/8"', { SourceIPs: ips }, FALSE],
  ['SourceIPs[1] ipInCidr "10.0.0.0/8"', { SourceIPs: ips }, TRUE],
  ['SourceIPs = "[1.1.1.1 10.0.0.1]"', { SourceIPs: ips }, TRUE],
  ['SourceIPs in ("[1.1.1.1 10.0.0.1]")', { SourceIPs: ips }, TRUE],
  ['SourceIPs in ("10.0.0.1")', { SourceIPs: ips }, FALSE],
  ['User.groups ipInCidr "10.0.0.0/8"', { User: { groups: ips } }, MISMATCH],
  ['unknown ipInCidr "10.0.0.0/8"', { unknown: ips }, MISMATCH],
  ['HostIP ipInCidr "10.0.0.0/8"', { HostIP: '10.0.0.1' }, TRUE],
  ['User.uid = "1"', {}, FALSE],
  ['User.uid != "1"', {}, FALSE],
  ['User.uid > 1', { User: { uid: 'x' } }, MISMATCH],
  ['User.uid exists', {}, FALSE],
  ['User.uid not exists', {}, TRUE],
  ['User.uid exists', { User: { uid: '1' } }, TRUE],
])('%s of %j gives %i', (text, fields, expected) => {
  expect(ask(text, fields)).toBe(expected);
});

it.each([
  ['a[*] = "x"', { a: ['y', 'x'] }, TRUE],
  ['a[*] = "x"', { a: ['y'] }, FALSE],
  ['a[*] = "x"', { a: [] }, FALSE],
  ['a[*] = "x"', { a: 'x' }, MISMATCH],
  ['a[*] = "x"', { a: 5 }, MISMATCH],
  ['a[*] = "x"', { a: null }, FALSE],
  ['a[*] = "x"', { a: {} }, FALSE],
  ['a[*] = "x"', {}, FALSE],
  ['a[*] = "map[b:1]"', { a: [{ b: 1 }] }, TRUE],
  ['a[*] > 1', { a: ['x', 0] }, MISMATCH],
  ['a[*] > 1', { a: ['x', 2] }, TRUE],
  ['a[*] > 1', { a: [0] }, FALSE],
  ['a[*].b = "x"', { a: [{ b: 'x' }] }, TRUE],
  ['a[*].b = "x"', { a: [null, {}, { b: null }, { b: {} }] }, FALSE],
  ['a[*].b = "x"', { a: ['x'] }, MISMATCH],
  ['a[*].b = "x"', { a: ['y', { b: 'x' }] }, TRUE],
  ['a[*].b = "x"', { a: [['x']] }, MISMATCH],
  ['a[*].b.c = "x"', { a: [{ b: 'x' }] }, MISMATCH],
  ['a[*].b.c = "x"', { a: [{ b: null }] }, FALSE],
  ['a[*][*] = "x"', { a: [['y'], ['x']] }, TRUE],
  ['a[*][*] = "x"', { a: ['x'] }, MISMATCH],
  ['a[1] = "x"', { a: ['y', 'x'] }, TRUE],
  ['a[2] = "x"', { a: ['y', 'x'] }, FALSE],
  ['a[0:2] = "x"', { a: ['x', 'x', 'y'] }, TRUE],
  ['a[0:3] = "x"', { a: ['x', 'x', 'y'] }, FALSE],
  ['a[1:] > 1', { a: [0, 2, 'x'] }, MISMATCH],
  ['a[3:] = "x"', { a: ['x'] }, FALSE],
  ['a.b = "x"', { a: 'x' }, FALSE],
  ['a.b = "x"', { a: ['x'] }, FALSE],
  ['a = "map[]"', { a: {} }, FALSE],
  ['a.toString exists', { a: {} }, FALSE],
])('%s of %j gives %i', (text, RequestObject, expected) => {
  expect(ask(`RequestObject.${text}`, { RequestObject })).toBe(expected);
});

it.each([
  ['contains "nil"', TRUE],
  ['not contains "x"', TRUE],
  ['like "*nil*"', FALSE],
  ['regex "nil"', FALSE],
  ['= "<nil>"', FALSE],
  ['in ("<nil>")', FALSE],
  ['not in ("x")', FALSE],
])('of a null in a list, %s gives %i', (rest, expected) => {
  expect(ask(`RequestObject.a[*] ${rest}`, { RequestObject: { a: [null] } })).toBe(expected);
});

it.each([
  ['Verb regex "("', 'expected a regular expression of RE2'],
  ['SourceIPs ipInCidr "x"', 'expected an address range'],
])('says why %s can never be asked', (text, message) => {
  expect(ask(text, {})).toContain(message);
});
