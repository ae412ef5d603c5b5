// How often a property is tried. A mutation run tries it again for each of thousands of mutants, so fewer times there.
const { configureGlobal } = require('fast-check');

configureGlobal({ numRuns: process.env.STRYKER_MUTATOR_WORKER === undefined ? 500 : 40 });
