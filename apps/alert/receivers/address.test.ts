import { Receiver } from '@auditing/proto/rule';
import { addressesOf, shownUrl } from './address';

const DEFAULTS = { port: 9_093, path: '', several: true } as const;

function addresses(fields: Parameters<typeof Receiver.fromPartial>[0], defaults = {}): string[] {
  const spec = Receiver.fromPartial({ name: 'r', ...fields });
  return addressesOf(spec, { ...DEFAULTS, ...defaults }).map(String);
}

describe('addresses of a receiver', () => {
  test('a Service is reached under its name in the cluster', () => {
    const service = { namespace: 'monitoring', name: 'am' };
    expect(addresses({ service })).toEqual(['http://am.monitoring.svc:9093/']);
    expect(
      addresses({ service: { ...service, port: 80, path: 'x' }, url: 'http://ignored' }),
    ).toEqual(['http://am.monitoring.svc/x']);
  });

  test('a Service has the scheme it is given, or https where there is a certificate', () => {
    const service = { namespace: 'monitoring', name: 'am' };
    const root = { port: 0, path: '/' };
    const caBundle = Buffer.from('pem');
    expect(addresses({ service: { ...service, scheme: 'https' } }, root)).toEqual([
      'https://am.monitoring.svc/',
    ]);
    expect(addresses({ service, caBundle }, root)).toEqual(['https://am.monitoring.svc/']);
    expect(addresses({ service: { ...service, scheme: 'http' }, caBundle }, root)).toEqual([
      'http://am.monitoring.svc/',
    ]);
  });

  test('a url keeps its scheme and path, and may be several', () => {
    expect(addresses({ url: 'https://a:1/prefix, http://b:2' })).toEqual([
      'https://a:1/prefix',
      'http://b:2/',
    ]);
    expect(addresses({ url: 'http://a/x?y=1,2' }, { several: false })).toEqual([
      'http://a/x?y=1,2',
    ]);
  });

  test.each([{ url: 'ftp://u:secret@a' }, { url: 'secret' }, {}, { service: { name: '' } }])(
    'what is no address is refused without repeating it: %j',
    (fields) => {
      expect(() => addresses(fields)).toThrow(/^receiver r: (?!.*secret)/);
    },
  );

  test('user name, password and query are not shown', () => {
    expect(shownUrl(new URL('https://me:secret@host:1/p?token=secret'))).toBe('https://host:1/p');
  });
});
