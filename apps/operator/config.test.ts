import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasSettingsTable } from '@auditing/service/testing/readme';
import { SETTINGS } from './config';

test('the README has the table of settings', () => {
  const readme = readFileSync(join(__dirname, 'README.md'), 'utf8');
  expect(hasSettingsTable(readme, SETTINGS)).toBe(true);
});
