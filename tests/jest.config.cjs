// The whole system: real processes, real sockets, real disks. The apps are bundled first.
module.exports = {
  ...require('../jest.preset.cjs'),
  displayName: require('./package.json').name,
  globalSetup: '<rootDir>/build-apps.cjs',
};
