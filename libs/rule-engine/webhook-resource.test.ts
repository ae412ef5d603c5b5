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
    const service = { namespace: 'n', name: 's', port: 9093, path: '/x', scheme: 'https' };
    const open = {
      bearerToken: undefined,
      basicAuth: undefined,
      clientCertificate: undefined,
      signingKey: undefined,
      headers: [],
    };
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
        { name: 'am', type: 'alertmanager', config: { service: { ...service, scheme: 'ftp' } } },
        7,
      ],
    });
    expect(set.settings.receivers).toEqual([
      { name: 'am', type: 'alertmanager', url: '', service, caBundle: Buffer.alloc(0), ...open },
      {
        name: 'https://x/y',
        type: 'webhook',
        url: 'https://x/y',
        service: undefined,
        caBundle: Buffer.from(pem),
        ...open,
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
          scheme: '',
        },
        caBundle: Buffer.alloc(0),
        ...open,
      },
    ]);
    expect(problemsOf(set).filter((problem) => problem.startsWith('error'))).toHaveLength(8);
  });
});

describe('how a receiver knows us', () => {
  const read = (config: Record<string, unknown>, type = 'webhook'): RuleSet =>
    buildRuleSet({
      rules: [],
      webhook: {
        spec: {
          auditLevel: 'None',
          receivers: [{ name: 'r', type, config: { url: 'https://x', ...config } as Resource }],
        },
      },
    });
  const secret = { secret: { name: 'pager', key: 'token' } };

  it('reads secrets by reference, and headers', () => {
    const set = read({
      basicAuth: { username: 'me', password: secret },
      clientCertificate: {
        certificate: { file: 'tls/tls.crt' },
        privateKey: { file: 'tls/tls.key' },
      },
      signingKey: secret,
      headers: [
        { name: 'X-Team', value: 'red' },
        { name: 'X-Key', valueFrom: { file: 'key' } },
      ],
    });
    expect(problemsOf(set).join()).not.toContain('receivers');
    const inSecret = { file: '', ...secret };
    const inFile = (file: string) => ({ file, secret: undefined });
    expect(set.settings.receivers[0]).toMatchObject({
      basicAuth: { username: 'me', password: inSecret },
      clientCertificate: {
        certificate: inFile('tls/tls.crt'),
        privateKey: inFile('tls/tls.key'),
      },
      signingKey: inSecret,
      headers: [
        { name: 'X-Team', value: 'red', valueFrom: undefined },
        { name: 'X-Key', value: '', valueFrom: inFile('key') },
      ],
    });
  });

  it.each([
    [{ bearerToken: {} }, 'bearerToken: expected file, or secret with name and key, found neither'],
    [{ bearerToken: { file: 'a', ...secret } }, 'found both'],
    [{ bearerToken: { file: '../../token' } }, 'a path below the folder of secrets'],
    [{ bearerToken: { file: '/etc/passwd' } }, 'a path below the folder of secrets'],
    [{ bearerToken: { secret: { name: '..', key: 'x' } } }, 'name and key of a Secret'],
    [{ bearerToken: { secret: { name: 'a/b', key: 'x' } } }, 'name and key of a Secret'],
    [{ bearerToken: 'plain' }, 'expected an object'],
    [{ bearerToken: secret, basicAuth: { username: 'a', password: secret } }, 'found both'],
    [{ basicAuth: { username: 'a:b', password: secret } }, 'a user name without colon'],
    [{ basicAuth: { username: 'a' } }, 'where the password is'],
    [{ clientCertificate: { certificate: secret } }, 'privateKey: expected where its PEM is'],
    [{ headers: [{ name: 'a b', value: 'x' }] }, 'the name of a header'],
    [{ headers: [{ name: 'Authorization', value: 'x' }] }, 'use bearerToken or basicAuth'],
    [{ headers: [{ name: 'Host', value: 'x' }] }, 'not a header to be set'],
    [{ headers: [{ name: 'Auditing-Signature', value: 'x' }] }, 'not a header to be set'],
    [{ headers: [{ name: 'X', value: 'a\r\nB: c' }] }, 'one line of visible ASCII'],
    [{ headers: [{ name: 'X' }] }, 'found neither'],
    [{ headers: [{ name: 'X', value: 'a', valueFrom: secret }] }, 'found both'],
  ])('refuses %j: without its secret it would take nothing', (config, message) => {
    const set = read(config);
    expect(set.settings.receivers).toEqual([]);
    expect(problemsOf(set).join('\n')).toContain(message);
  });

  it('warns of what does nothing', () => {
    expect(problemsOf(read({ urls: 'x' })).join()).toContain('config.urls: expected url, service');
    const signed = read({ signingKey: secret }, 'alertmanager');
    expect(signed.settings.receivers).toHaveLength(1);
    expect(problemsOf(signed).join()).toContain('Alertmanager checks no signature');
  });
});
