import { buildRuleSet, type Resource, type RuleSet } from './rule-set';
import { problemsOf } from './testing/rule-sets';

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
    [{ bearerToken: { file: 'a b' } }, '.bearerToken.file: expected a path below the folder of'],
    [{ basicAuth: { password: secret } }, 'basicAuth.username: expected a user name without colon'],
    [{ basicAuth: { username: 'a' } }, 'basicAuth.password: expected where the password is'],
    [
      { clientCertificate: { certificate: secret, privateKey: {} } },
      'privateKey: expected file, or',
    ],
    [{ headers: [{ name: 'X', value: 'é' }] }, '.headers[0].value: expected one line of visible'],
    [{ headers: [{ name: 'a b', value: 'x' }] }, '.headers[0].name: expected the name of a header'],
    [{ headers: [{ name: 'Host', value: 'x' }] }, '.headers[0].name: `Host` is not a header to be'],
    [
      { headers: [{ name: 'X', value: 'x' }, {}] },
      '.headers[1]: expected value or valueFrom, found',
    ],
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

  it('has no advice on headers that nobody may set', () => {
    const set = read({ headers: [{ name: 'Host', value: 'x' }] });
    expect(set.diagnostics.map(({ message }) => message)).toContain(
      '`Host` is not a header to be set',
    );
  });

  it('takes no half of a certificate', () => {
    const half = { clientCertificate: { certificate: secret } };
    expect(read(half).diagnostics.filter(({ path }) => path.includes('receivers'))).toMatchObject([
      { path: 'spec.receivers[0].config.clientCertificate.privateKey' },
    ]);
  });

  it('warns of what does nothing', () => {
    expect(problemsOf(read({ urls: 'x' })).join()).toContain('config.urls: expected url, service');
    const signed = read({ signingKey: secret }, 'alertmanager');
    expect(signed.settings.receivers).toHaveLength(1);
    expect(problemsOf(signed).join()).toContain(
      'config.signingKey: Alertmanager checks no signature; not used',
    );
  });
});
