import { X509Certificate } from 'node:crypto';
import { apply } from '@auditing/kubernetes/apply';
import { CLUSTERS } from '@auditing/kubernetes/testing/cluster';
import { until } from '@auditing/kubernetes/testing/until';
import { GRPC_AUTHORITY, grpcIdentities } from './grpc-certificates';
import { SECRETS, VALIDATING_WEBHOOKS, type SecretObject } from './kinds';
import { OperatedCluster, webhook } from './testing/operated-cluster';

jest.setTimeout(300_000);
const never = new AbortController().signal;

describe.each(CLUSTERS)('with %s', (_name, startCluster) => {
  let operated: OperatedCluster;

  beforeEach(async () => {
    operated = new OperatedCluster(await startCluster());
  });

  afterEach(() => operated.end());

  const secret = (name: string): Promise<SecretObject | undefined> =>
    operated.get<SecretObject>(SECRETS, name);
  const text = (one: SecretObject | undefined, key: string): string =>
    Buffer.from(one?.data?.[key] ?? '', 'base64').toString();
  /** The admission configuration comes last: then all has been looked at. */
  const allDone = (): Promise<void> =>
    until(
      async () =>
        (await operated.get(VALIDATING_WEBHOOKS, 'kube-auditing-rules', false)) !== undefined,
      20_000,
    );

  test('services find their certificates when the gateways are made, all of one authority', async () => {
    await operated.cluster.apply(webhook({}));
    const { started } = await operated.run();
    await operated.untilSet({ spec: { replicas: 1 } });
    const authority = text(await secret(GRPC_AUTHORITY), 'tls.crt');
    for (const [name, hosts] of grpcIdentities(operated.namespace)) {
      const made = await secret(name);
      expect(text(made, 'ca.crt').trim()).toBe(authority.trim());
      const certificate = new X509Certificate(text(made, 'tls.crt'));
      expect(certificate.verify(new X509Certificate(authority).publicKey)).toBe(true);
      for (const host of hosts) expect(certificate.checkHost(host)).toBeDefined();
    }
    await allDone();
    // Also by one that found them all made.
    await started.stop();
    const { addresses } = (await operated.run()).started;
    const metricsOf = async (): Promise<string> =>
      (await fetch(`${addresses['admin'] ?? ''}/metrics`)).text();
    await until(async () => (await metricsOf()).includes('{secret="kube-auditing-operator-tls"}'));
    const metrics = await metricsOf();
    for (const name of [
      GRPC_AUTHORITY,
      'kube-auditing-rule-tls',
      'kube-auditing-webhook-secret',
      'kube-auditing-operator-tls',
    ])
      expect(metrics).toContain(
        `auditing_operator_certificate_expiry_timestamp_seconds{secret="${name}"}`,
      );

    // Whatever happens to one is repaired at the next look.
    await apply(
      operated.cluster.client,
      {
        type: SECRETS,
        object: {
          metadata: { name: 'kube-auditing-rule-tls', namespace: operated.namespace },
          data: { 'tls.crt': Buffer.from('broken').toString('base64') },
        } as SecretObject,
      },
      { fieldManager: 'test', signal: never },
    );
    await operated.cluster.apply(webhook({ replicas: 2 }));
    await until(
      async () => text(await secret('kube-auditing-rule-tls'), 'tls.crt').startsWith('-----BEGIN'),
      20_000,
    );
    expect(text(await secret('kube-auditing-rule-tls'), 'ca.crt').trim()).toBe(authority.trim());
  });

  test('where somebody else makes them the operator makes none', async () => {
    await operated.run({ AUDITING_GRPC_CERTIFICATES: 'external' });
    await allDone();
    expect(await secret(GRPC_AUTHORITY)).toBeUndefined();
    for (const name of grpcIdentities(operated.namespace).keys())
      expect(await secret(name)).toBeUndefined();
  });

  test('one that somebody else made is left alone, and so are the others', async () => {
    await apply(
      operated.cluster.client,
      {
        type: SECRETS,
        object: {
          metadata: { name: 'kube-auditing-rule-tls', namespace: operated.namespace },
          data: { 'tls.crt': 'eA==' },
        } as SecretObject,
      },
      { fieldManager: 'cert-manager', signal: never },
    );
    const { log } = await operated.run();
    await allDone();
    expect((await secret('kube-auditing-rule-tls'))?.data).toEqual({ 'tls.crt': 'eA==' });
    expect(await secret('kube-auditing-gateway-tls')).toBeUndefined();
    expect(log.find(({ msg }) => String(msg).includes('somebody else'))).toMatchObject({
      secrets: ['kube-auditing-rule-tls'],
    });
  });
});
