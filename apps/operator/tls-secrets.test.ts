import { X509Certificate } from 'node:crypto';
import type { SecretObject } from './kinds';
import { pairOf, planTlsSecrets, type TlsSecrets } from './tls-secrets';

const DAY_MS = 86_400_000;
const start = new Date('2026-01-01T00:00:00Z');
const after = (days: number): Date => new Date(start.getTime() + days * DAY_MS);
const wanted = (hosts: string[], now = start): Parameters<typeof planTlsSecrets>[1] => ({
  ...{ serverName: 'server', authorityName: 'authority', namespace: 'here', hosts, now },
});

async function planned(
  secrets: TlsSecrets,
  hosts: string[],
  now = start,
): Promise<{ written: string[]; secrets: TlsSecrets }> {
  const { apply } = await planTlsSecrets(secrets, wanted(hosts, now));
  const find = (name: string): SecretObject | undefined =>
    apply.find(({ metadata }) => metadata.name === name);
  return {
    written: apply.map(({ metadata }) => metadata.name),
    secrets: {
      server: find('server') ?? secrets.server,
      authority: find('authority') ?? secrets.authority,
    },
  };
}

const bundleOf = ({ server }: TlsSecrets): string =>
  Buffer.from(server?.data?.['caBundle'] ?? '', 'base64').toString();

test('a certificate is made once, and anew for other hosts, by the same authority', async () => {
  const none = { server: undefined, authority: undefined };
  const first = await planned(none, ['a.svc', '10.0.0.1']);
  expect(first.written).toEqual(['authority', 'server']);
  expect((await planned(first.secrets, ['a.svc', '10.0.0.1'])).written).toEqual([]);
  const second = await planned(first.secrets, ['a.svc', '10.0.0.2']);
  expect(second.written).toEqual(['server']);
  expect(bundleOf(second.secrets)).toBe(bundleOf(first.secrets));
});

test('a certificate is renewed when a third of its time is left', async () => {
  const first = await planned({ server: undefined, authority: undefined }, ['a.svc']);
  expect((await planned(first.secrets, ['a.svc'], after(59))).written).toEqual([]);
  expect((await planned(first.secrets, ['a.svc'], after(61))).written).toEqual(['server']);
});

test('an authority in its last year is followed by another, and both are trusted', async () => {
  const first = await planned({ server: undefined, authority: undefined }, ['a.svc']);
  const second = await planned(first.secrets, ['a.svc'], after(9 * 365 + 3));
  expect(second.written).toEqual(['authority', 'server']);
  expect(bundleOf(second.secrets).match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  expect(bundleOf(second.secrets)).toContain(bundleOf(first.secrets).trim());
  const shown = new X509Certificate(pairOf(second.secrets.server)!.cert);
  const authority = new X509Certificate(pairOf(second.secrets.authority)!.cert);
  expect(shown.verify(authority.publicKey)).toBe(true);
  expect((await planned(second.secrets, ['a.svc'], after(9 * 365 + 4))).written).toEqual([]);
});

test('a Secret that somebody else made stays as it is', async () => {
  const own: SecretObject = { metadata: { name: 'server' }, data: { caBundle: 'eA==' } };
  expect(await planTlsSecrets({ server: own, authority: undefined }, wanted(['a.svc']))).toEqual({
    apply: [],
    caBundle: 'eA==',
  });
});
