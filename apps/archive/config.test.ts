import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { readSettings } from '@auditing/service/settings';
import { hasSettingsTable } from '@auditing/service/testing/readme';

import { SETTINGS, type ArchiveConfig } from './config';

test('the README has the table of all settings', () => {
  expect(hasSettingsTable(readFileSync(join(__dirname, 'README.md'), 'utf8'), SETTINGS)).toBe(true);
});

test('without any variable the archive keeps 30 days and half of the disk', () => {
  expect(readSettings<ArchiveConfig>(SETTINGS, {})).toMatchObject({
    retentionAgeMs: 30 * 86_400_000,
    retentionBytes: undefined,
    queryTimeoutMs: 30_000,
  });
});
