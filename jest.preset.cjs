// Every package's jest.config.cjs spreads this. swc strips types and turns ES modules into CommonJS,
// so that no node flag is needed.

/**
 * Packages that ship only ES modules, or import() at run time, must be named here to be transformed
 * too: jest can do neither by itself before Node 24.9.
 */
const ESM_ONLY = ['@opentelemetry/otlp-exporter-base'];

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['/dist/'],
  transform: {
    '^.+\\.[mc]?[jt]sx?$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript', tsx: false } },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  transformIgnorePatterns: [
    ESM_ONLY.length ? `/node_modules/(?!(${ESM_ONLY.join('|')})/)` : '/node_modules/',
  ],
};
