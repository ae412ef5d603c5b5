import { Field, Source, Strip } from '@auditing/proto/event';
import * as fc from 'fast-check';
import { COLUMN_FIELDS } from './column-fields';
import { buildColumns } from './columns';
import { decodeEvent, type DecodedEvent } from './decoded-event';
import { EVENT_FIELDS } from './event-fields';
import { EventTable } from './event-table';

/** Few of each kind, so that events of one table share and differ; some of a type that no API server sends. */
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('', 'a', 'GET', '5', 'true', '["a"]') },
  fc.constantFrom<unknown>(null, 5, true, ['a'], ['a', 'b'], ['a', 5], [], {}, { a: 1 }, [['a']]),
);
const nested = fc.oneof(
  {
    weight: 6,
    arbitrary: members(['username', 'Username', 'groups', 'code', 'namespace', 'NAME']),
  },
  value,
);
const event = fc.oneof(
  members(['verb', 'Verb', 'VERB', 'auditID', 'AuditID', 'sourceIPs', 'Workspace', 'other']),
  fc.record(
    { user: nested, User: nested, objectRef: nested, responseStatus: nested, level: value },
    { requiredKeys: [] },
  ),
);

function members(names: readonly string[]): fc.Arbitrary<unknown> {
  return fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 4 });
}

function decode(values: readonly unknown[]): DecodedEvent[] {
  return values.map((one) => decodeEvent(Buffer.from(JSON.stringify(one)), Source.KUBERNETES));
}

function decodeInTable(values: readonly unknown[]): DecodedEvent[] {
  const table = new EventTable();
  const events = decode(values);
  for (const one of events) one.moveInto(table);
  return events;
}

test('an event says the same of every field, in a table or not', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 6 }), (values) => {
      const alone = decode(values);
      const tabled = decodeInTable(values);
      const all = (events: readonly DecodedEvent[]) =>
        events.map((one) => EVENT_FIELDS.map((field) => [field, one.get(field)]));
      expect(all(tabled)).toEqual(all(alone));
      expect(tabled.map((one) => one.other('other'))).toEqual(
        alone.map((one) => one.other('other')),
      );
    }),
  );
});

test('the columns of any of its rows are those of the events themselves, each value once', () => {
  const fields = [...COLUMN_FIELDS, Field.SOURCE];
  fc.assert(
    fc.property(fc.array(event, { maxLength: 6 }), fc.array(fc.boolean()), (values, picks) => {
      const alone = decode(values).filter((_, row) => picks[row] ?? true);
      const tabled = decodeInTable(values).filter((_, row) => picks[row] ?? true);
      const columns = buildColumns(tabled, fields);
      expect(columns.map(readable)).toEqual(buildColumns(alone, fields).map(readable));
      for (const { values: cells } of columns) expect(new Set(cells).size).toBe(cells.length);
    }),
  );
});

/** A column as its cells, for the order of its values is no matter. */
function readable({ field, values, rows }: { field: Field; values: string[]; rows: number[] }) {
  return [Field[field], rows.map((place) => (place === 0 ? undefined : values[place - 1]))];
}

test('a workspace that was filled in is in the columns', () => {
  const events = decodeInTable([{}, { Workspace: 'own' }, {}]);
  for (const one of events) one.fillWorkspace('filled');
  expect(buildColumns(events, [Field.WORKSPACE]).map(readable)).toEqual([
    ['WORKSPACE', ['filled', 'own', 'filled']],
  ]);
});

test('events of several tables make columns all the same', () => {
  const events = [...decodeInTable([{ verb: 'a' }]), ...decodeInTable([{ verb: 'b' }])];
  expect(buildColumns(events, [Field.VERB])).toEqual([
    { field: Field.VERB, values: ['a', 'b'], rows: [1, 2] },
  ]);
});

test('times are those of the event', () => {
  const times = {
    requestReceivedTimestamp: '2024-05-01T10:00:00.000001Z',
    stageTimestamp: '2024-05-01T10:00:00.5Z',
  };
  const [alone] = decode([times]);
  const [, tabled] = decodeInTable([{}, times]);
  expect(tabled?.requestReceivedUs).toBe(1_714_557_600_000_001);
  expect(tabled?.stageUs).toBe(1_714_557_600_500_000);
  expect(alone?.stageUs).toBe(tabled?.stageUs);
});

test('a strip leaves the fields as they are', () => {
  const [tabled] = decodeInTable([{ verb: 'create', requestObject: { a: 1 } }]);
  const stripped = tabled?.stripped(Strip.BODIES);
  expect(stripped?.get('Verb')).toBe('create');
  expect(stripped?.hasObject('RequestObject')).toBe(false);
  expect(stripped?.get('RequestObject')).toBeUndefined();
  expect(String(stripped?.bytes)).toBe('{"verb":"create"}');
});

test('what was parsed for more than its row is let go of', () => {
  const [tabled] = decodeInTable([{ verb: 'create', requestObject: { a: 1 } }]);
  const first: unknown = tabled?.get('RequestObject');
  expect(tabled?.get('RequestObject')).toBe(first);
  tabled?.letGo();
  expect(tabled?.get('RequestObject')).not.toBe(first);
  expect(tabled?.get('RequestObject')).toEqual(first);
});

test('rows in another order, or twice, are what was asked for', () => {
  const [one, two] = decodeInTable([{ verb: 'a' }, { verb: 'b' }]);
  const columns = (events: (DecodedEvent | undefined)[]) =>
    buildColumns(events as DecodedEvent[], [Field.VERB]).map(readable);
  expect(columns([two, one])).toEqual([['VERB', ['b', 'a']]]);
  expect(columns([two, two])).toEqual([['VERB', ['b', 'b']]]);
});
