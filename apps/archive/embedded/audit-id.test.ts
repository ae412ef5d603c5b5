import fc from 'fast-check';

import { auditIdOf, isAuditIdOf } from './audit-id';

const id = fc.oneof(
  fc.constantFrom(undefined, '', 'a', 'a.b:c-d_E9', 'a b', 'ä', 'x'.repeat(256), 'x'.repeat(257)),
  fc.string({ maxLength: 4 }),
);
const key = fc.constantFrom('auditID', 'AuditID', 'auditid');

test('an id is that of an event if auditIdOf gives it', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, id), { maxLength: 3 }), id, (members, asked) => {
      const text = members.map(([name, value]) => `"${name}":"${value ?? ''}"`).join(',');
      const slice = Buffer.from(`{${text}}`);
      expect(isAuditIdOf(slice, asked)).toBe(auditIdOf(slice) === asked);
      const own = auditIdOf(slice);
      expect(isAuditIdOf(slice, own)).toBe(true);
    }),
  );
});

test('an event that is cut off has no id', () => {
  const slice = Buffer.from('{"auditID":"abc');
  expect(auditIdOf(slice)).toBeUndefined();
  expect(isAuditIdOf(slice, 'abc')).toBe(false);
});

test('an id is found wherever it lies, behind what only begins like its key', () => {
  const alike = fc.constantFrom('"auditID', '"AuditID":', '"audit', 'ID":"', '"', 'a', 'D');
  fc.assert(
    fc.property(fc.array(alike, { maxLength: 120 }), key, (before, name) => {
      const text = `${before.join('')} "${name}":"abc"`;
      const slice = Buffer.from(text);
      const [, first] = /"auditID":"([^"]*)"/.exec(text) ?? /"AuditID":"([^"]*)"/.exec(text) ?? [];
      const expected = first !== undefined && /^[\w.:-]+$/.test(first) ? first : undefined;
      expect(auditIdOf(slice)).toBe(expected);
      expect(isAuditIdOf(slice, expected)).toBe(true);
    }),
  );
});
