// Tests that give themselves more than the usual time begin first: they wait for processes that start again and again.
// Begun last, as the small files that they are, they would keep one of two workers while the other has nothing left to do.
const { readFileSync } = require('node:fs');
const { default: Sequencer } = require('@jest/test-sequencer');

/** What a file sets for all its tests: `jest.setTimeout(900_000)`. */
const OWN_TIMEOUT = /^jest\.setTimeout\(([\d_]+)\)/m;
const USUAL_MAX_MS = 300_000;

function isLong({ path }) {
  const [, timeout = '0'] = OWN_TIMEOUT.exec(readFileSync(path, 'utf8')) ?? [];
  return Number(timeout.replaceAll('_', '')) > USUAL_MAX_MS;
}

module.exports = class LongFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return [...sorted.filter(isLong), ...sorted.filter((test) => !isLong(test))];
  }
};
