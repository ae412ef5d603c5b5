import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { senderFileRoutes } from './sender-file-routes';
import { senderFiles } from './sender-files';

const ROOT = join(__dirname, '../..');
const url = 'https://10.96.0.7:6443/audit/webhook/event';
const caCert = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n';
const text = (
  start: string,
  level: 'Metadata' | 'Request' | 'RequestResponse' = 'Request',
): string =>
  senderFiles({ url, caCert, level }).find(({ path }) => path.startsWith(start))?.text ?? '';

test('what the documentation shows is what is printed', () => {
  const page = readFileSync(join(ROOT, 'docs/enable-auditing.md'), 'utf8');
  const bare = (yaml: string): string => yaml.replace(/^ *#.*\n/gm, '');
  expect(bare(page)).toContain(bare(text('/etc/kubernetes/audit/policy.yaml')));
  expect(page).toContain(text('/etc/kubernetes/manifests/kube-apiserver.yaml'));
});

test('the policy of the local cluster is the one that is printed', () => {
  const local = readFileSync(join(ROOT, 'k8s/overlays/kind/audit/policy.yaml'), 'utf8');
  const bare = (yaml: string): string => yaml.replace(/^ *#.*\n/gm, '');
  expect(bare(local)).toBe(bare(text('/etc/kubernetes/audit/policy.yaml', 'RequestResponse')));
});

test('address and CA are filled in; a CA that is not known is a file to be put there', () => {
  const kubeconfig = text('/etc/kubernetes/audit/webhook.yaml');
  expect(kubeconfig).toContain(`server: "${url}"`);
  const [, data = ''] = /certificate-authority-data: (\S+)/.exec(kubeconfig) ?? [];
  expect(Buffer.from(data, 'base64').toString()).toBe(caCert);
  const [, unknown] = senderFiles({ url, caCert: undefined, level: 'Metadata' });
  expect(unknown?.text).toContain('certificate-authority: /etc/kubernetes/audit/ca.crt');
  expect(text('ConfigMap')).toContain(`enable: true\n  webhookUrl: "${url}"`);
});

describe('the route', () => {
  const [route] = senderFileRoutes(() => ({ url, caCert }));
  const ask = (query: string): Promise<{ body: unknown }> =>
    route!.answer({ parameters: new URLSearchParams(query) } as never);

  test('takes another address, and refuses what is none', async () => {
    const { body } = await ask('address=https://audit.example:6443/audit/webhook/event');
    expect(JSON.stringify(body)).toContain('https://audit.example:6443/audit/webhook/event');
    await expect(ask('address=javascript:alert(1)')).rejects.toThrow('address');
    await expect(ask('address=https://x/y%3Fq=1')).rejects.toThrow('address');
    await expect(ask('level=All')).rejects.toThrow('level');
  });

  test('is what the script prints and writes', async () => {
    const { body } = await ask('level=Request');
    const server = createServer((_, response) => response.end(JSON.stringify(body)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const folder = mkdtempSync(join(tmpdir(), 'sender-files-'));
    const program = join(ROOT, 'tools/sender-files.mjs');
    const args = [program, '--api', `http://127.0.0.1:${port}`, '--to', folder];
    const { stdout: out } = await promisify(execFile)(process.execPath, args);
    expect(readdirSync(folder)).toHaveLength(5);
    expect(out.trim().split('\n')).toHaveLength(5);
    rmSync(folder, { recursive: true });
    server.close();
  });
});
