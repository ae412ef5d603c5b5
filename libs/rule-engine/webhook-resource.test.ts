import { Level, Priority } from '@auditing/proto/event';
import { buildRuleSet, type Resource, type RuleSet } from './rule-set';
import { problemsOf, rule } from './testing/rule-sets';

describe('selectors', () => {
  const labelled = (labels: Record<string, string>): Resource => ({
    metadata: { name: 'r', labels },
    spec: { rules: [rule('x', 'Verb exists', { priority: 'DEBUG' })] },
  });
  const selected = (selector: Resource, labels: Record<string, string>): boolean =>
    buildRuleSet({
      rules: [labelled(labels)],
      webhook: { spec: { auditSinkPolicy: { archivingRuleSelector: selector } } },
    }).ruleNames.length > 0;

  it.each([
    [{}, { type: 'archiving' }, true],
    [{ matchLabels: {} }, { type: 'x' }, false],
    [{ matchLabels: { a: '1', b: '2' } }, { a: '1', b: '2', c: '3' }, true],
    [{ matchLabels: { a: '1', b: '2' } }, { a: '1' }, false],
    [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['1', '2'] }] }, { a: '2' }, true],
    [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] }, { a: '1' }, false],
    [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] }, {}, true],
    [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }, { a: '' }, true],
    [{ matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] }, { a: '' }, false],
    [
      { matchLabels: { a: '1' }, matchExpressions: [{ key: 'a', operator: 'Like' }] },
      { a: '1' },
      true,
    ],
  ])('%j picks %j: %s', (selector, labels, expected) => {
    expect(selected(selector as Resource, labels as unknown as Record<string, string>)).toBe(
      expected,
    );
  });
});

describe('settings', () => {
  const settingsOf = (spec: Resource): RuleSet => buildRuleSet({ rules: [], webhook: { spec } });

  it('has the documented defaults', () => {
    expect(buildRuleSet({ rules: [] }).settings).toEqual({
      auditLevel: Level.METADATA,
      k8sAuditingEnabled: false,
      archivingPriority: Priority.DEBUG,
      alertingPriority: Priority.WARNING,
      receivers: [],
    });
    expect(problemsOf(buildRuleSet({ rules: [] }))[0]).toContain('no Webhook resource');
  });

  it('honours the path that the manual misspells, with a warning', () => {
    const set = settingsOf({ auditLevel: 'None', auditing: { k8sAuditingEnabled: true } });
    expect(set.settings).toMatchObject({ k8sAuditingEnabled: true, auditLevel: Level.NONE });
    expect(problemsOf(set)[0]).toContain('write spec.k8sAuditingEnabled (taken all the same)');
    const both = settingsOf({ k8sAuditingEnabled: false, auditing: { k8sAuditingEnabled: true } });
    expect(both.settings.k8sAuditingEnabled).toBe(false);
  });

  it('takes the one priority of the first generation for archiving', () => {
    expect(settingsOf({ priority: 'INFO', auditType: 'dynamic' }).settings).toMatchObject({
      archivingPriority: Priority.INFO,
      alertingPriority: Priority.WARNING,
    });
  });

  it('takes an unknown level for Metadata and an unknown priority for its default', () => {
    const set = settingsOf({ auditLevel: 'Everything', alertingPriority: 'LOUD' });
    expect(set.settings).toMatchObject({
      auditLevel: Level.METADATA,
      alertingPriority: Priority.WARNING,
    });
    expect(problemsOf(set).filter((problem) => problem.startsWith('warning'))).toHaveLength(4);
  });

  it('reads receivers and leaves bad ones out alone', () => {
    const service = { namespace: 'n', name: 's', port: 9093, path: '/x' };
    const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n';
    const set = settingsOf({
      auditLevel: 'None',
      receivers: [
        { name: 'am', type: 'alertmanager', config: { service, url: 'http://ignored:1' } },
        {
          type: 'webhook',
          config: { url: 'https://x/y', caBundle: Buffer.from(pem).toString('base64') },
        },
        { name: 'bare', type: 'alertmanager' },
        { name: 'bad', type: 'email', config: { url: 'http://x' } },
        { name: 'bad', type: 'webhook', config: { url: 'ftp://x' } },
        { name: 'bad', type: 'webhook', config: {} },
        { name: 'bad', type: 'webhook', config: { service: { name: 's' } } },
        { name: 'am', type: 'alertmanager', config: { service: { ...service, port: 70000 } } },
        7,
      ],
    });
    expect(set.settings.receivers).toEqual([
      { name: 'am', type: 'alertmanager', url: '', service, caBundle: Buffer.alloc(0) },
      {
        name: 'https://x/y',
        type: 'webhook',
        url: 'https://x/y',
        service: undefined,
        caBundle: Buffer.from(pem),
      },
      {
        name: 'bare',
        type: 'alertmanager',
        url: '',
        service: {
          namespace: 'kubesphere-monitoring-system',
          name: 'alertmanager-main',
          path: '',
          port: 9093,
        },
        caBundle: Buffer.alloc(0),
      },
    ]);
    expect(problemsOf(set).filter((problem) => problem.startsWith('error'))).toHaveLength(7);
  });
});
