import { Field } from '@auditing/proto/event';

import { IdColumn } from './id-column';

const UUIDS = ['00000000-0000-0000-0000-000000000000', 'fb2627fd-f7e7-447f-a9ce-b8829f5c6d01'];
const OTHERS = [
  '',
  'FB2627FD-F7E7-447F-A9CE-B8829F5C6D01',
  'x',
  'fb2627fd-f7e7-447f-a9ce-b8829f5c6d0g',
  UUIDS[1]!.replaceAll('-', ''),
];

test('ids come back as they were, UUIDs or not, and are found again', () => {
  const column = new IdColumn();
  const values = [...UUIDS, ...OTHERS];
  column.addRows(
    { field: Field.AUDIT_ID, values, rows: values.map((_, place) => place + 1) },
    values.length,
  );
  column.addRows(undefined, 2);
  column.addRows({ field: Field.AUDIT_ID, values: [UUIDS[1]!], rows: [0, 1] }, 2);
  const all = [...values, '', '', '', UUIDS[1]!];
  all.forEach((value, row) => {
    const code = column.codes[row] ?? 0;
    expect(code === 0 ? '' : column.values.at(code - 1)).toBe(value);
  });
  for (const value of values.filter((one) => one !== '')) {
    const rows = new Set(column.values.places(value).map((place) => place + 1));
    const fits = all.flatMap((one, row) => (one === value ? [column.codes[row]] : []));
    expect([...rows]).toEqual(fits);
  }
  expect(column.values.places('none')).toEqual([]);
});
