// How property tests (fast-check) draw their cases. In CI always the same ones, so that a change is judged by what it
// changes; anywhere else others each time, as many as PROPERTY_RUNS says: `PROPERTY_RUNS=100000 npx jest PATTERN` hunts.
const { configureGlobal } = require('fast-check');

// A mutation run tries each property again for thousands of mutants, so fewer times there.
const runs = process.env.STRYKER_MUTATOR_WORKER === undefined ? 500 : 40;

configureGlobal({
  numRuns: Number(process.env.PROPERTY_RUNS ?? runs),
  ...(process.env.CI === 'true' ? { seed: 20_261_126 } : {}),
});
