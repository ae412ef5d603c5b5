import {
  boolean,
  bytes,
  choice,
  duration,
  integer,
  listenAddress,
  optional,
  port,
  secret,
  text,
  url,
  type Parser,
} from './setting-parsers';
import {
  ConfigError,
  readSettings,
  settingsTable,
  unknownVariables,
  type ConfigOf,
  type Env,
} from './settings';

const SETTINGS = {
  dataDir: { variable: 'AUDITING_DATA_DIR', parser: text, description: 'Where data lies.' },
  bodyMaxBytes: {
    variable: 'AUDITING_BODY_MAX_BYTES',
    parser: bytes,
    fallback: '256MiB',
    description: 'Largest body.',
  },
  access: {
    token: {
      variable: 'AUDITING_API_TOKEN',
      parser: optional(secret),
      fallback: '',
      description: 'Token.',
    },
    port: { variable: 'AUDITING_API_PORT', parser: port, fallback: '8080', description: 'Port.' },
  },
} as const;

function problemsOf(env: Env): readonly string[] {
  try {
    readSettings<ConfigOf<typeof SETTINGS>>(SETTINGS, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('settings and their defaults make a configuration with the shape of the groups', () => {
  const config = readSettings<ConfigOf<typeof SETTINGS>>(SETTINGS, {
    AUDITING_DATA_DIR: '/data',
    AUDITING_API_TOKEN: 'hush',
  });
  expect(config).toEqual({
    dataDir: '/data',
    bodyMaxBytes: 256 * 1024 * 1024,
    access: { token: 'hush', port: 8080 },
  });
});

test('an empty variable is as one that is not set', () => {
  const env = { AUDITING_DATA_DIR: '/data', AUDITING_API_PORT: ' ', AUDITING_API_TOKEN: '' };
  expect(readSettings<ConfigOf<typeof SETTINGS>>(SETTINGS, env).access).toEqual({
    token: undefined,
    port: 8080,
  });
});

test('every bad variable is named at once, with what was expected and what came', () => {
  expect(problemsOf({ AUDITING_API_PORT: '80O0', AUDITING_BODY_MAX_BYTES: '-1' })).toEqual([
    'AUDITING_DATA_DIR is required: text',
    'AUDITING_BODY_MAX_BYTES: expected a size such as 1048576, 512KiB, 256MiB or 10GiB, got "-1"',
    'AUDITING_API_PORT: expected a whole number from 0 to 65535, got "80O0"',
  ]);
});

test('a secret is never part of an error', () => {
  const refusing: Parser<string> = {
    ...secret,
    parse() {
      throw new TypeError();
    },
  };
  const settings = { token: { variable: 'AUDITING_API_TOKEN', parser: refusing, description: '' } };
  expect(() => readSettings(settings, { AUDITING_API_TOKEN: 'hush' })).toThrow(
    /a value that is not shown/,
  );
  expect(() => readSettings(settings, { AUDITING_API_TOKEN: 'hush' })).not.toThrow(/hush/);
});

test('a URL that is wrong is not shown, because it may hold a password', () => {
  const settings = {
    redis: { variable: 'AUDITING_REDIS_URL', parser: url('redis'), description: '' },
  };
  expect(() => readSettings(settings, { AUDITING_REDIS_URL: 'http://u:hush@h' })).toThrow(
    'AUDITING_REDIS_URL: expected a URL beginning with redis://, got a value that is not shown',
  );
});

test('a misspelt variable is reported with the one that was meant', () => {
  const env = {
    AUDITING_DATADIR: 'x',
    AUDITING_SOMETHING_ELSE: 'x',
    PATH: 'x',
    AUDITING_API_PORT: '1',
  };
  expect(unknownVariables(env)).toEqual([
    'AUDITING_DATADIR is not a setting: did you mean AUDITING_DATA_DIR?',
    'AUDITING_SOMETHING_ELSE is not a setting and is ignored',
  ]);
});

test('the table has one row a variable', () => {
  expect(settingsTable({ one: SETTINGS, again: SETTINGS.access })).toBe(
    [
      '| variable | default | unit | meaning |',
      '| --- | --- | --- | --- |',
      '| `AUDITING_DATA_DIR` | required | text | Where data lies. |',
      '| `AUDITING_BODY_MAX_BYTES` | `256MiB` | bytes | Largest body. |',
      '| `AUDITING_API_TOKEN` |  | secret | Token. |',
      '| `AUDITING_API_PORT` | `8080` | port | Port. |',
    ].join('\n'),
  );
});

describe('parsers', () => {
  test.each<[string, () => unknown, unknown]>([
    ['integer -5', () => integer(-5, 5).parse('-5'), -5],
    ['bytes 1048576', () => bytes.parse('1048576'), 1_048_576],
    ['bytes 10GiB', () => bytes.parse('10GiB'), 10 * 1024 ** 3],
    ['duration 0', () => duration.parse('0'), 0],
    ['duration 500ms', () => duration.parse('500ms'), 500],
    ['duration 30d', () => duration.parse('30d'), 30 * 86_400_000],
    ['boolean true', () => boolean.parse('true'), true],
    ['choice off', () => choice('self-signed', 'files', 'off').parse('off'), 'off'],
    ['listenAddress 127.0.0.1:0', () => listenAddress.parse('127.0.0.1:0'), '127.0.0.1:0'],
    ['listenAddress [::1]:9081', () => listenAddress.parse('[::1]:9081'), '[::1]:9081'],
    [
      'url rediss://host:1',
      () => url('redis', 'rediss').parse('rediss://host:1'),
      'rediss://host:1',
    ],
  ])('take %s', (_value, parsed, expected) => {
    expect(parsed()).toBe(expected);
  });

  test.each<[string, Parser<unknown>, string]>([
    ['integer', integer(1, 5), '0'],
    ['integer', integer(1, 5), '1.5'],
    ['integer', integer(1, 5), '1e1'],
    ['bytes', bytes, '256MB'],
    ['bytes', bytes, 'MiB'],
    ['bytes', bytes, '99999999TiB'],
    ['duration', duration, '30'],
    ['duration', duration, '5 minutes'],
    ['duration', duration, '1constructor'],
    ['boolean', boolean, 'yes'],
    ['choice', choice('a', 'b'), 'A'],
    ['listenAddress', listenAddress, '127.0.0.1'],
    ['listenAddress', listenAddress, 'host:65536'],
    ['url', url('http'), 'localhost:9200'],
    ['url', url('http'), 'file:///etc/passwd'],
  ])('%s refuses %s %s', (_name, parser, value) => {
    expect(() => parser.parse(value)).toThrow();
  });
});
