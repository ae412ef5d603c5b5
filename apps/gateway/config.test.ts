import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, readSettings } from '@auditing/service/settings';
import { hasSettingsTable } from '@auditing/service/testing/readme';
import { PROCESS_SETTINGS, type GatewayProcessConfig } from './config';

const read = (env: Record<string, string> = {}): GatewayProcessConfig =>
  readSettings<GatewayProcessConfig>(PROCESS_SETTINGS, env);

test('the README has the table of all settings', () => {
  const readme = readFileSync(join(__dirname, 'README.md'), 'utf8');
  expect(hasSettingsTable(readme, PROCESS_SETTINGS)).toBe(true);
});

test('without any variable it listens on 6443 with a certificate of its own and takes 256 MiB', () => {
  expect(read()).toMatchObject({
    webhook: { host: undefined, port: 6443, tls: 'self-signed', tlsHosts: [], token: undefined },
    receive: { bodyMaxBytes: 256 * 2 ** 20, spoolMaxBytes: 10 * 2 ** 30 },
  });
});

test('host names are separated by commas, and memory has a least size', () => {
  const { webhook } = read({ AUDITING_WEBHOOK_TLS_HOSTS: 'audit.example, 10.0.0.1,::1' });
  expect(webhook.tlsHosts).toEqual(['audit.example', '10.0.0.1', '::1']);
  expect(() => read({ AUDITING_WEBHOOK_TLS_HOSTS: 'a b' })).toThrow(ConfigError);
  expect(() => read({ AUDITING_MEMORY_MAX_BYTES: '1MiB' })).toThrow('at least 64MiB');
});
