import { logText } from './log-text';

const line = (fields: object): string =>
  `${JSON.stringify({ level: 'info', time: '2026-11-23T10:20:30.456Z', service: 'standalone', ...fields })}\n`;

test('a line is the time, the app, the message and its fields', () => {
  expect(logText(line({ app: 'rule', from: 'source', ruleCount: 8, msg: 'in force' }), false)).toBe(
    '10:20:30 rule in force: from=source ruleCount=8\n',
  );
  expect(logText(line({ msg: 'stopped' }), false)).toBe('10:20:30 standalone stopped\n');
});

test('what is more than information says so, in colour on a terminal alone', () => {
  const warning = line({ level: 'warn', msg: 'no receiver' });
  expect(logText(warning, false)).toBe('10:20:30 warn standalone no receiver\n');
  expect(logText(warning, true)).toBe('10:20:30 \u001b[33mwarn\u001b[39m standalone no receiver\n');
});

test('a list of objects has a line for each, and keeps the lines of its texts', () => {
  const problem = { at: 'spec.rules[7]', line: 1, text: 'expected x', excerpt: 'Verb inn\n     ^' };
  expect(logText(line({ msg: 'in force', diagnostics: [problem] }), false)).toBe(
    '10:20:30 standalone in force\n    spec.rules[7] line 1 expected x\n      Verb inn\n           ^\n',
  );
  expect(logText(line({ msg: 'in force', diagnostics: [] }), false)).toBe(
    '10:20:30 standalone in force\n',
  );
});

test('an error has its stack below', () => {
  const err = { type: 'Error', message: 'boom', stack: 'Error: boom\n    at x' };
  expect(logText(line({ level: 'error', msg: 'failed', err }), false)).toBe(
    '10:20:30 error standalone failed\n    Error: boom\n        at x\n',
  );
});

test('text that is no JSON stays as it is', () => {
  expect(logText('plain\n', false)).toBe('plain\n');
});
