// A jest reporter: after the run it lists the tests that were not run, by the program they need, with the line that
// installs it, and ends with a plain line of counts.

/** How to get each program that a test may need. A test names it: "needs redis-server: …". */
const INSTALL = {
  'redis-server': 'apt-get install redis-server',
  'prometheus-alertmanager': 'apt-get install prometheus-alertmanager',
  kustomize:
    'apt-get install kubernetes-client, 1.27 or later, or build sigs.k8s.io/kustomize/kustomize/v5 with go',
  promtool: 'apt-get install prometheus',
  'kube-apiserver': 'KUBE_APISERVER=/path/of/kube-apiserver, with etcd and kubectl on the path',
  opensearch: 'node tools/with-opensearch.mjs npm test',
};

module.exports = class TestReport {
  onRunComplete(_contexts, results) {
    const missing = new Map();
    for (const file of results.testResults)
      for (const test of file.testResults)
        if (test.status === 'pending' || test.status === 'todo') {
          const need = /needs ([\w-]+)/.exec(test.fullName)?.[1] ?? 'something else';
          missing.set(need, [...(missing.get(need) ?? []), test.fullName]);
        }
    for (const [need, names] of missing) {
      console.log(`\nNot run, for want of ${need} (${INSTALL[need] ?? 'see the test'}):`);
      for (const name of names) console.log(`  ${name}`);
    }
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    console.log(
      `\n${results.numPassedTests} passed, ${failed} failed, ${results.numPendingTests} skipped`,
    );
  }

  /** jest asks this at the end: an error makes the run fail. */
  getLastError() {
    return undefined;
  }
};
