// One jest run over every package that has a jest.config.cjs of its own.
module.exports = {
  projects: ['<rootDir>/libs/*', '<rootDir>/apps/*', '<rootDir>/tests', '<rootDir>/examples'],
  testSequencer: '<rootDir>/tools/test-order.cjs',
  // Ends a test that hangs; how busy the machine is must not decide.
  testTimeout: 180_000,
};
