// How property tests (fast-check) draw their cases. In CI always the same ones, so that a change is judged by what it
// changes; anywhere else others each time, as many as PROPERTY_RUNS says: `PROPERTY_RUNS=100000 npx jest PATTERN` hunts.
const { configureGlobal } = require('fast-check');

// A mutation run tries each property again for thousands of mutants: always with the same cases, or a case would be
// blamed on a mutant; fewer times; and it needs no simplest counterexample.
const isMutationRun = process.env.STRYKER_MUTATOR_WORKER !== undefined;

configureGlobal({
  numRuns: Number(process.env.PROPERTY_RUNS ?? (isMutationRun ? 40 : 500)),
  ...(isMutationRun || process.env.CI === 'true' ? { seed: 20_261_126 } : {}),
  endOnFailure: isMutationRun,
});
