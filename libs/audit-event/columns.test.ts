import { Field, Source } from '@auditing/proto/event';
import { ColumnEvent, ColumnTable, MissingColumnError, buildColumns } from './columns';
import { decodeEvent } from './decoded-event';

const decode = (value: unknown) =>
  decodeEvent(Buffer.from(JSON.stringify(value)), Source.KUBERNETES);

const EVENTS = [
  {
    verb: 'GET',
    user: { username: 'a', groups: ['g', ''] },
    objectRef: {},
    responseStatus: { code: 200 },
  },
  { verb: 'get', user: { groups: [] }, responseStatus: { code: '201' } },
  {
    verb: 7,
    user: { username: 'a', groups: 'g' },
    objectRef: { namespace: 'n' },
    responseStatus: { code: 'x' },
  },
].map(decode);

function row(index: number, ...fields: Field[]): ColumnEvent {
  return new ColumnEvent(new ColumnTable(buildColumns(EVENTS, fields)), index);
}

describe('buildColumns', () => {
  test('codes each distinct value once, 0 for what is missing', () => {
    expect(buildColumns(EVENTS, [Field.VERB, Field.USER, Field.NAMESPACE, Field.CODE])).toEqual([
      { field: Field.VERB, values: ['get', '7'], rows: [1, 1, 2] },
      { field: Field.USER, values: ['a'], rows: [1, 0, 1] },
      { field: Field.NAMESPACE, values: ['', 'n'], rows: [1, 0, 2] },
      { field: Field.CODE, values: ['200', '201', 'x'], rows: [1, 2, 3] },
    ]);
  });

  test('writes lists as JSON text and the source as its word', () => {
    expect(buildColumns(EVENTS, [Field.GROUPS, Field.SOURCE])).toEqual([
      { field: Field.GROUPS, values: ['["g",""]', '[]', '"g"'], rows: [1, 2, 3] },
      { field: Field.SOURCE, values: ['kubernetes'], rows: [1, 1, 1] },
    ]);
  });

  test('refuses a field that no event has', () => {
    expect(() => buildColumns(EVENTS, [Field.RULE])).toThrow(/not RULE/);
    expect(() => buildColumns([], [Field.UNSPECIFIED])).toThrow(RangeError);
  });
});

describe('ColumnEvent', () => {
  test('gives back values in their types', () => {
    expect(row(0, Field.GROUPS).get('User.groups')).toEqual(['g', '']);
    expect(row(2, Field.GROUPS).get('User.groups')).toBe('g');
    expect(row(0, Field.CODE).get('ResponseStatus.code')).toBe(200);
    expect(row(2, Field.CODE).get('ResponseStatus.code')).toBe('x');
  });

  test('keeps empty and missing apart', () => {
    expect(row(0, Field.NAMESPACE).get('ObjectRef.Namespace')).toBe('');
    expect(row(1, Field.NAMESPACE).get('ObjectRef.Namespace')).toBeUndefined();
  });

  test('never lets a field that was not sent look missing', () => {
    const event = row(0, Field.VERB);
    expect(() => event.get('User.username')).toThrow(MissingColumnError);
    expect(() => event.get('User')).toThrow(/User was not sent/);
    expect(() => event.get('RequestObject')).toThrow(MissingColumnError);
    expect(() => event.other('custom')).toThrow(MissingColumnError);
    const short = new ColumnTable([{ field: Field.VERB, values: ['get'], rows: [] }]);
    const wrong = new ColumnTable([{ field: Field.VERB, values: ['get'], rows: [2] }]);
    expect(() => new ColumnEvent(short, 0).get('Verb')).toThrow(MissingColumnError);
    expect(() => new ColumnEvent(wrong, 0).get('Verb')).toThrow(MissingColumnError);
  });

  test('reads what has no column from the document', () => {
    const document = Buffer.from('{"custom":[1],"requestObject":{"a":1},"user":{"uid":"u"}}');
    const event = new ColumnEvent(new ColumnTable(buildColumns(EVENTS, [Field.VERB])), 0, document);
    expect(event.get('Verb')).toBe('get');
    expect(event.get('RequestObject')).toEqual({ a: 1 });
    expect(event.get('User.uid')).toBe('u');
    expect(event.get('User.username')).toBeUndefined();
    expect(event.other('custom')).toEqual([1]);
  });

  test('has the workspace that was filled in, if it has none', () => {
    const events = [decode({}), decode({ Workspace: 'own' })];
    const table = new ColumnTable(buildColumns(events, [Field.WORKSPACE]));
    const seen = events.map((_, index) => {
      const event = new ColumnEvent(table, index);
      event.fillWorkspace('filled');
      return event.get('Workspace');
    });
    expect(seen).toEqual(['filled', 'own']);
  });
});
