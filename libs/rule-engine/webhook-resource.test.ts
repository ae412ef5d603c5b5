import { Level, Priority } from '@auditing/proto/event';
import type { Receiver } from '@auditing/proto/rule';
import { buildRuleSet, type Resource, type RuleSet } from './rule-set';
import { problemsOf, rule, ruleResource } from './testing/rule-sets';

describe('settings', () => {
  const settingsOf = (spec: Resource): RuleSet => buildRuleSet({ rules: [], webhook: { spec } });
  /** What is wrong with the settings themselves. */
  const ownProblems = (set: RuleSet): string[] =>
    set.diagnostics
      .filter(({ message }) => !/picks no Rule|no such field/.test(message))
      .map(({ path, message }) => `${path}: ${message}`);

  it('has the documented defaults', () => {
    expect(buildRuleSet({ rules: [] }).settings).toEqual({
      auditLevel: Level.METADATA,
      k8sAuditingEnabled: false,
      archivingPriority: Priority.DEBUG,
      alertingPriority: Priority.WARNING,
      receivers: [],
    });
    expect(problemsOf(buildRuleSet({ rules: [] }))).toEqual([
      'warning Webhook/kube-auditing-webhook : there is no Webhook resource: the defaults hold, with auditLevel Metadata',
      expect.stringContaining('archivingRuleSelector: type=archiving picks no Rule'),
      expect.stringContaining('alertingRuleSelector: type=alerting picks no Rule'),
    ]);
  });

  it('honours the path that the manual misspells, with a warning', () => {
    const set = settingsOf({ auditLevel: 'None', auditing: { k8sAuditingEnabled: true } });
    expect(set.settings).toMatchObject({ k8sAuditingEnabled: true, auditLevel: Level.NONE });
    expect(ownProblems(set)).toEqual([
      'spec.auditing.k8sAuditingEnabled: the manual misspells this path; write spec.k8sAuditingEnabled (taken all the same)',
    ]);
    const both = settingsOf({
      auditLevel: 'None',
      k8sAuditingEnabled: false,
      auditing: { k8sAuditingEnabled: true },
    });
    expect(both.settings.k8sAuditingEnabled).toBe(false);
    expect(ownProblems(both)[0]).toContain('(not used, as both are there)');
  });

  it('takes the one priority of the first generation for archiving', () => {
    const old = settingsOf({ auditLevel: 'None', priority: 'INFO', auditType: 'dynamic' });
    expect(old.settings).toMatchObject({
      archivingPriority: Priority.INFO,
      alertingPriority: Priority.WARNING,
    });
    expect(ownProblems(old)).toContain(
      'spec.priority: taken as archivingPriority, which has replaced it',
    );
    const both = settingsOf({ auditLevel: 'None', priority: 'INFO', archivingPriority: 'WARNING' });
    expect(both.settings.archivingPriority).toBe(Priority.WARNING);
    expect(ownProblems(both).join()).not.toContain('taken as archivingPriority');
  });

  it.each([
    ['None', Level.NONE],
    [' request ', Level.REQUEST],
    ['RequestResponse', Level.REQUEST_RESPONSE],
    ['metadata', Level.METADATA],
  ])('reads the level %j', (auditLevel, expected) => {
    const set = settingsOf({ auditLevel });
    expect(set.settings.auditLevel).toBe(expected);
    expect(ownProblems(set)).toEqual([]);
  });

  it.each([
    ['Everything', '`Everything`'],
    [null, 'nothing'],
  ])('takes the level %j for Metadata, with a warning', (auditLevel, found) => {
    const set = settingsOf({ auditLevel });
    expect(set.settings.auditLevel).toBe(Level.METADATA);
    expect(ownProblems(set)).toEqual([
      `spec.auditLevel: expected None, Metadata, Request or RequestResponse, found ${found}; taken as Metadata`,
    ]);
  });

  it('picks rules that alert by their selector', () => {
    const rules = [ruleResource('other', [rule('x', 'Verb exists')])];
    const alertingRuleSelector = { matchLabels: { type: 'other' } };
    const spec = { auditLevel: 'None', auditSinkPolicy: { alertingRuleSelector } };
    expect(buildRuleSet({ rules, webhook: { spec } }).rules()).toMatchObject([{ alerting: true }]);
  });

  it.each<[Resource, string]>([
    [{ metadata: { name: 'w' }, spec: {} }, 'Webhook/w'],
    [{ spec: {} }, 'Webhook/kube-auditing-webhook'],
  ])('is called by its name in what is wrong with %j', (webhook, name) => {
    const { diagnostics } = buildRuleSet({ rules: [], webhook });
    expect(new Set(diagnostics.map(({ resource }) => resource))).toEqual(new Set([name]));
  });

  it('says of a resource that is no object no more than that', () => {
    expect(buildRuleSet({ rules: [], webhook: 5 }).diagnostics[0]).toMatchObject({
      path: '',
      message: 'expected an object, found `5`',
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
});

describe('receivers', () => {
  const read = (receivers: Resource): { receivers: Receiver[]; problems: string[] } => {
    const { settings, diagnostics } = buildRuleSet({
      rules: [],
      webhook: { spec: { auditLevel: 'None', receivers } },
    });
    const problems = diagnostics
      .filter(({ path }) => path.startsWith('spec.receivers'))
      .map(({ path, message }) => `${path.slice('spec.receivers'.length)}: ${message}`);
    return { receivers: settings.receivers, problems };
  };
  const service = { namespace: 'n', name: 's', port: 9093, path: '/x', scheme: 'https' };
  const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n';

  it('are read in full', () => {
    const open = {
      bearerToken: undefined,
      basicAuth: undefined,
      clientCertificate: undefined,
      signingKey: undefined,
      headers: [],
    };
    const caBundle = Buffer.from(pem).toString('base64');
    const receivers = [
      { name: 'am', type: 'alertmanager', config: { service } },
      { name: 'hook', type: 'webhook', config: { url: 'https://x/y', caBundle } },
    ];
    expect(read(receivers)).toEqual({
      problems: [],
      receivers: [
        { name: 'am', type: 'alertmanager', url: '', service, caBundle: Buffer.alloc(0), ...open },
        {
          ...{ name: 'hook', type: 'webhook', url: 'https://x/y', service: undefined },
          ...{ caBundle: Buffer.from(pem), ...open },
        },
      ],
    });
  });

  it.each<[string, string, Resource, string, string | undefined]>([
    ['a service, of both', 'alertmanager', { service, url: 'http://x' }, '', 's'],
    ['a url, of both', 'webhook', { service, url: 'http://x' }, 'http://x', undefined],
    ['a service alone', 'webhook', { service }, '', 's'],
    ['a url alone', 'alertmanager', { url: 'http://x' }, 'http://x', undefined],
    ['a url alone', 'notificationmanager', { url: 'https://x' }, 'https://x', undefined],
    ['the one of KubeSphere without either', 'alertmanager', {}, '', 'alertmanager-main'],
    [
      'a url, of both, if the service is wrong',
      'alertmanager',
      { service: {}, url: 'http://x' },
      'http://x',
      undefined,
    ],
    [
      'a url, of both, if the service is wrong',
      'webhook',
      { service: {}, url: 'http://x' },
      'http://x',
      undefined,
    ],
  ])('has %s: %s', (_what, type, ...[config, url, name]) => {
    const [receiver] = read([{ name: 'r', type, config }]).receivers;
    expect([receiver?.url, receiver?.service?.name]).toEqual([url, name]);
  });

  it('are called by what they have for a name', () => {
    const names = read([
      { name: 'own', type: 'webhook', config: { url: 'http://x' } },
      { type: 'webhook', config: { url: 'http://y' } },
      { type: 'webhook', config: { service } },
    ]).receivers.map(({ name }) => name);
    expect(names).toEqual(['own', 'http://y', 'n/s']);
  });

  it('have the defaults of a Service', () => {
    const bare = { namespace: 'n', name: 's' };
    const edge = { ...service, scheme: 'HTTP', port: '65535' };
    const { receivers, problems } = read([
      { type: 'webhook', name: 'a', config: { service: bare } },
      { type: 'webhook', name: 'b', config: { service: edge } },
    ]);
    expect(receivers.map((receiver) => receiver.service)).toEqual([
      { ...bare, port: 0, path: '', scheme: '' },
      { ...edge, scheme: 'http', port: 65_535 },
    ]);
    expect(problems).toEqual([]);
  });

  it('count once a name: the last one', () => {
    const twice = ['http://x', 'http://y'].map((url) => ({
      name: 'a',
      type: 'webhook',
      config: { url },
    }));
    const { receivers, problems } = read(twice);
    expect(receivers).toMatchObject([{ url: 'http://y' }]);
    expect(problems).toEqual(['[1]: there are two receivers `a`; the last one counts']);
  });

  const noUrl = 'expected a url such as http://alertmanager:9093, or a service, found';
  it.each<[Resource, string]>([
    [
      { type: 'email' },
      '[0].type: expected alertmanager, webhook, notificationmanager, found `email`; this receiver gets nothing',
    ],
    [7, '[0]: expected an object, found `7`'],
    [{ type: 'webhook' }, `[0].config: ${noUrl} neither; this receiver gets nothing`],
    [
      { type: 'webhook', config: { url: 'ftp://x' } },
      `[0].config: ${noUrl} the url \`ftp://x\`; this receiver gets nothing`,
    ],
    [{ type: 'webhook', config: { url: 'see http://x' } }, `[0].config: ${noUrl} the url \`see`],
    [{ type: 'webhook', config: { url: 'x:http://y' } }, `[0].config: ${noUrl} the url`],
    [{ type: 'webhook', config: { url: 'http:///x' } }, `[0].config: ${noUrl} the url`],
    [{ type: 'webhook', config: { url: 'http://[' } }, `[0].config: ${noUrl} the url`],
    [
      { type: 'webhook', config: { service: { name: 's' } } },
      '[0].config.service: expected name and namespace of a Service',
    ],
    [
      { type: 'webhook', config: { service: { namespace: 's' } } },
      '[0].config.service: expected name and namespace of a Service',
    ],
    ...[70_000, -1, 1.5, 'http'].map((port): [Resource, string] => [
      { type: 'webhook', config: { service: { ...service, port } } },
      `[0].config.service.port: expected a port up to 65535, found \`${port}\``,
    ]),
    [
      { type: 'webhook', config: { service: { ...service, scheme: 'ftp' } } },
      '[0].config.service.scheme: expected http or https, found `ftp`',
    ],
  ])('are left out: %j', (receiver, problem) => {
    const { receivers, problems } = read([receiver, { name: 'good', type: 'alertmanager' }]);
    expect(receivers).toMatchObject([{ name: 'good' }]);
    expect(problems.join('\n')).toContain(problem);
  });

  it.each([
    ['', ''],
    [` ${pem} `, pem.trim()],
    [Buffer.from(pem).toString('base64'), pem],
  ])('take certificates in PEM or base64: %j', (caBundle, expected) => {
    const { receivers, problems } = read([
      { type: 'webhook', config: { url: 'http://x', caBundle } },
    ]);
    expect(receivers[0]?.caBundle.toString()).toBe(expected);
    expect(problems).toEqual([]);
  });

  it('do not take for certificates what is none', () => {
    const caBundle = '-----BEGIN PRIVATE KEY-----';
    const { receivers, problems } = read([
      { type: 'webhook', config: { url: 'http://x', caBundle } },
    ]);
    expect(receivers[0]?.caBundle).toHaveLength(0);
    expect(problems).toEqual([
      '[0].config.caBundle: expected certificates in PEM, in base64 or as they are; only the system’s own are trusted',
    ]);
  });
});

test('arguments are passed on and warned of', () => {
  const warnings = (spec: object): readonly string[] =>
    buildRuleSet({ rules: [], webhook: { metadata: { name: 'x' }, spec } as never })
      .diagnostics.filter(({ path }) => path === 'spec.args')
      .map(({ message }) => message);
  expect(warnings({ args: ['--v=4'] })).toEqual([expect.stringMatching(/reads no arguments/)]);
  expect(warnings({ args: [] })).toEqual([]);
  expect(warnings({})).toEqual([]);
});
