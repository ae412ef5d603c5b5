import { buildRuleSet } from './rule-set';
import { problemsOf, rule } from './testing/rule-sets';

test('a field that nobody reads is warned of, with its place and the fields that there are', () => {
  const problems = problemsOf(
    buildRuleSet({
      rules: [
        {
          metadata: { name: 'r', labels: { type: 'archiving' } },
          spec: { rules: [rule('x', 'Verb exists', { conditions: 'typo' })], extra: 1 },
        },
      ],
      webhook: {
        spec: {
          auditLevel: 'None',
          enabled: true,
          receivers: [
            {
              name: 'a',
              type: 'webhook',
              config: { url: 'http://x', service: { adress: 'y', name: 'n', namespace: 'm' } },
            },
          ],
        },
      },
    }),
  ).filter((problem) => problem.includes('no such field'));
  expect(problems).toEqual([
    expect.stringMatching(/spec\.enabled.*auditLevel, k8sAuditingEnabled/) as string,
    expect.stringContaining('spec.receivers[0].config.service.adress') as string,
    expect.stringContaining('spec.rules[0].conditions') as string,
    expect.stringMatching(/spec\.extra.*there are rules/) as string,
  ]);
});

test('fields whose content is not ours to judge hold anything', () => {
  const spec = {
    auditLevel: 'None',
    nodeSelector: { any: 'thing' },
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: {} } },
    auditSinkPolicy: { archivingRuleSelector: { matchLabels: { whatever: 'x' } } },
    resources: { limits: { 'example.com/gpu': 1 } },
  };
  const problems = problemsOf(buildRuleSet({ rules: [], webhook: { spec } }));
  expect(problems.filter((problem) => problem.includes('no such field'))).toEqual([]);
});
