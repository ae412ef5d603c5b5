import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { event } from './testing/gateway';
import { TestWebhook, until } from './testing/webhook';
import { selfSigned } from './tls-self-signed';

const DAY_MS = 86_400_000;
let directory: string;
let webhook: TestWebhook | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tls-'));
});
afterEach(async () => {
  await webhook?.remove();
  webhook = undefined;
  await rm(directory, { recursive: true });
});

const hosts = ['localhost', '127.0.0.1', '::1', 'audit.example'];

describe('a self-signed certificate', () => {
  test('is valid for its hosts, kept for the next start, and its keys are for the owner alone', async () => {
    const made = await selfSigned({ directory, hosts, now: new Date() });
    const certificate = new X509Certificate(made.server.cert);
    expect(certificate.verify(new X509Certificate(made.caCert).publicKey)).toBe(true);
    expect(certificate.checkHost('audit.example')).toBe('audit.example');
    expect(certificate.checkIP('::1')).toBe('::1');
    expect(certificate.checkHost('other.example')).toBeUndefined();
    for (const name of ['ca.key', 'tls.key']) {
      expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    }
    expect(await selfSigned({ directory, hosts, now: new Date() })).toEqual(made);
  });

  test('is made anew, by the same CA, before it expires, for other hosts, and when it is damaged', async () => {
    const now = new Date();
    const first = await selfSigned({ directory, hosts, now });
    const later = new Date(now.getTime() + 370 * DAY_MS);
    const renewed = await selfSigned({ directory, hosts, now: later });
    expect(renewed.caCert).toBe(first.caCert);
    expect(renewed.server.cert).not.toBe(first.server.cert);
    const other = await selfSigned({ directory, hosts: [...hosts, 'new.example'], now: later });
    expect(new X509Certificate(other.server.cert).checkHost('new.example')).toBe('new.example');
    await writeFile(join(directory, 'tls.crt'), 'half');
    const repaired = await selfSigned({ directory, hosts, now: later });
    expect(repaired.caCert).toBe(first.caCert);
    expect(new X509Certificate(repaired.server.cert).checkHost('localhost')).toBe('localhost');
  });

  test('is trusted by senders that know the CA, at each name that is set', async () => {
    webhook = await TestWebhook.start({ env: { AUDITING_WEBHOOK_TLS_HOSTS: 'audit.example' } });
    const options = { method: 'POST', servername: 'audit.example' };
    const agent = new Agent({ ca: webhook.webhook.caCert, servername: 'audit.example' });
    expect((await webhook.send({ ...options, agent }, event('a'))).status).toBe(200);
    const stranger = webhook.send({ ...options, agent: new Agent() }, event('a'));
    await expect(stranger).rejects.toThrow('certificate');
  });
});

/** Writes `name.crt` and `name.key`, signed by itself, and gives them. */
async function writePair(name: string): Promise<{ cert: string; key: string }> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  await writeFile(join(directory, 'tls.crt'), cert);
  await writeFile(join(directory, 'tls.key'), key);
  return { cert, key };
}

describe('a certificate from files', () => {
  const shown = async (): Promise<string> => {
    const socket = await webhook!.socket();
    const { subject } = socket.getPeerX509Certificate()!;
    socket.destroy();
    return subject;
  };

  test('is replaced after a change; a bad pair leaves the old one and is reported once', async () => {
    const one = await writePair('one');
    const env = {
      AUDITING_WEBHOOK_TLS: 'files',
      AUDITING_WEBHOOK_TLS_CERT: join(directory, 'tls.crt'),
      AUDITING_WEBHOOK_TLS_KEY: join(directory, 'tls.key'),
    };
    webhook = await TestWebhook.start({ env });
    webhook.agent = new Agent({ ca: one.cert, keepAlive: true });
    expect((await webhook.post(event('a'))).status).toBe(200);
    webhook.trust = { rejectUnauthorized: false };
    expect(await shown()).toBe('CN=one');
    await writeFile(join(directory, 'tls.crt'), 'no certificate');
    const reports = (): unknown[] => webhook!.logged.filter(({ level }) => level === 50);
    await until(() => reports().length > 0);
    expect(await shown()).toBe('CN=one');
    await writePair('two');
    await until(async () => (await shown()) === 'CN=two');
    expect(reports()).toHaveLength(1);
    // A connection that was open goes on.
    expect((await webhook.post(event('b'))).status).toBe(200);
  }, 300_000);

  test('that cannot be used stops the start, and says which file', async () => {
    const env = {
      AUDITING_WEBHOOK_TLS: 'files',
      AUDITING_WEBHOOK_TLS_CERT: join(directory, 'missing.crt'),
      AUDITING_WEBHOOK_TLS_KEY: join(directory, 'missing.key'),
    };
    await expect(TestWebhook.start({ env })).rejects.toThrow('missing.crt');
  });
});

describe('client certificates', () => {
  test('are asked for where a CA is set: 401 without one, 403 with a wrong one', async () => {
    const ca = await selfSigned({ directory, hosts: ['sender'], now: new Date() });
    const wrong = await writePair('wrong');
    const clientCa = join(directory, 'ca.crt');
    expect(await readFile(clientCa, 'utf8')).toBe(ca.caCert);
    webhook = await TestWebhook.start({ env: { AUDITING_WEBHOOK_CLIENT_CA: clientCa } });
    const post = async (pair: { cert?: string; key?: string }): Promise<number> => {
      webhook!.agent = new Agent({ ca: webhook!.webhook.caCert, ...pair });
      return (await webhook!.post(event('a'))).status;
    };
    const client = await generate([{ name: 'commonName', value: 'sender' }], {
      keyType: 'ec',
      algorithm: 'sha256',
      ca: { cert: ca.caCert, key: await readFile(join(directory, 'ca.key'), 'utf8') },
      extensions: [{ name: 'extKeyUsage', clientAuth: true }],
    });
    expect(await post({})).toBe(401);
    expect(await post(wrong)).toBe(403);
    expect(await post({ cert: client.cert, key: client.private })).toBe(200);
    expect((await webhook.send({ method: 'GET', path: '/readiness' })).status).toBe(200);
  });

  test('without TLS stop the start', async () => {
    const env = { AUDITING_WEBHOOK_TLS: 'off', AUDITING_WEBHOOK_CLIENT_CA: '/ca.crt' };
    await expect(TestWebhook.start({ env })).rejects.toThrow('needs TLS');
  });
});
