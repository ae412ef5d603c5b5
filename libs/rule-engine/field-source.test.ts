import type { EventFields } from '@auditing/audit-event/event-fields';
import { FieldReader, resolvePath } from './field-source';
import { readPath } from './path-text';

/** An event that says how often it was asked. */
class CountingEvent implements EventFields {
  asked: string[] = [];

  constructor(private readonly text: string) {}

  get(field: string): string {
    this.asked.push(field);
    return `${this.text} ${field}`;
  }

  other(key: string): string {
    this.asked.push(`other ${key}`);
    return `${this.text} other ${key}`;
  }
}

describe('reading', () => {
  it('asks an event once for each field, when it is needed', () => {
    const reader = new FieldReader();
    const [verb, level] = [reader.slot({ field: 'Verb' }), reader.slot({ field: 'Level' })];
    const first = new CountingEvent('first');
    reader.begin(first);
    expect(first.asked).toEqual([]);
    expect([verb, verb, level].map((slot) => reader.read(slot))).toEqual([
      'first Verb',
      'first Verb',
      'first Level',
    ]);
    expect(first.asked).toEqual(['Verb', 'Level']);
    const second = new CountingEvent('second');
    reader.begin(second);
    expect(reader.read(verb)).toBe('second Verb');
    reader.begin(first);
    expect(reader.read(verb)).toBe('first Verb');
  });

  it('has one place for each field, whoever asks', () => {
    const reader = new FieldReader();
    const roots = [{ field: 'Verb' }, { other: 'Verb' }, { other: 'x' }, { other: 'y' }] as const;
    const slots = roots.map((root) => reader.slot(root));
    expect(new Set(slots).size).toBe(4);
    expect(roots.map((root) => reader.slot(root))).toEqual(slots);
    reader.begin(new CountingEvent('e'));
    expect(slots.map((slot) => reader.read(slot))).toEqual([
      'e Verb',
      'e other Verb',
      'e other x',
      'e other y',
    ]);
  });

  it('finds nothing before the first event, nor once it let go of the last one', () => {
    const reader = new FieldReader();
    const slot = reader.slot({ field: 'Verb' });
    const late = reader.slot({ field: 'Level' });
    expect(reader.read(slot)).toBeUndefined();
    reader.begin(new CountingEvent('e'));
    expect(reader.read(slot)).toBe('e Verb');
    reader.end();
    expect([reader.read(slot), reader.read(late)]).toEqual([undefined, undefined]);
  });
});

describe('paths', () => {
  it.each([
    ['user.username', { field: 'User.username' }, []],
    [
      'User[0].username',
      { field: 'User' },
      [{ index: { kind: 'at', at: 0 } }, { key: 'username' }],
    ],
    ['requestObject.spec', { field: 'RequestObject' }, [{ key: 'spec' }]],
    ['SourceIPs[*]', { field: 'SourceIPs' }, [{ index: { kind: 'any' } }]],
    ['other.a', { other: 'other' }, [{ key: 'a' }]],
  ])('%s starts at %j and goes on by %j', (text, root, steps) => {
    expect(resolvePath(readPath(text, 0))).toMatchObject({ root, steps });
  });

  it('that lead to one place have one key', () => {
    const keyOf = (text: string): string => resolvePath(readPath(text, 0)).key;
    expect(keyOf('user.username')).toBe(keyOf('User.Username'));
    expect(keyOf('RequestObject["a"]')).toBe(keyOf('requestobject.a'));
    expect(keyOf('RequestObject.a')).not.toBe(keyOf('RequestObject.b'));
    expect(keyOf('RequestObject.a[0]')).not.toBe(keyOf('RequestObject.a[1]'));
  });

  it('are resolved once', () => {
    const path = readPath('RequestObject.a.b', 0);
    expect(resolvePath(path)).toBe(resolvePath({ ...path, from: 5, to: 22 }));
  });
});
