import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import {
  GatewayServiceService,
  SenderFilesRequest,
  type SenderFilesResponse,
} from '@auditing/proto/gateway';
import { grpcClient } from '@auditing/service/grpc-client';
import { INSECURE } from '@auditing/service/grpc-tls';
import { start } from '@auditing/service/start';
import { testRuntime, type TestRuntime } from '@auditing/service/testing/runtime';
import { senderFileRoutes } from './sender-file-routes';
import { senderFiles } from './sender-files';
import { gatewayService } from './service';

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
  const [route] = senderFileRoutes(() => Promise.resolve({ url, caCert }));
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

describe('over gRPC', () => {
  let runtime: TestRuntime;
  let folder: string;
  beforeEach(() => {
    runtime = testRuntime();
    folder = mkdtempSync(join(tmpdir(), 'sender-files-'));
  });
  afterEach(async () => {
    await runtime.stop();
    rmSync(folder, { recursive: true });
  });

  async function serve(env: Record<string, string> = {}): Promise<string> {
    const started = await start(
      gatewayService,
      {
        AUDITING_DATA_DIR: folder,
        AUDITING_WEBHOOK_PORT: '0',
        AUDITING_API_PORT: '0',
        AUDITING_ADMIN_PORT: '0',
        AUDITING_GRPC_LISTEN: '127.0.0.1:0',
        ...env,
      },
      runtime.log,
    );
    runtime.closeLater('gateway', () => started.stop());
    return started.addresses['gateway'] ?? '';
  }
  const ask = (target: string, request: object, token?: string): Promise<SenderFilesResponse> => {
    const { api, close } = grpcClient(GatewayServiceService, target, {
      credentials: INSECURE,
      ...(token !== undefined && { token }),
    });
    const { signal } = new AbortController();
    return api.senderFiles(SenderFilesRequest.fromPartial(request), signal).finally(close);
  };

  test('the same files come, for the address and the CA of this installation', async () => {
    const ca = join(folder, 'ca.crt');
    writeFileSync(ca, caCert);
    const target = await serve({ AUDITING_WEBHOOK_URL: url, AUDITING_WEBHOOK_TLS_CA: ca });
    const { files } = await ask(target, { level: 'Request' });
    expect(files).toEqual(senderFiles({ url, caCert, level: 'Request' }));
    const other = await ask(target, { address: 'https://other.example/x' });
    expect(JSON.stringify(other.files)).toContain('https://other.example/x');
    await expect(ask(target, { address: 'https://x/y?q' })).rejects.toThrow(/address: expected/);
    await expect(ask(target, { level: 'All' })).rejects.toThrow(/level: expected Metadata/);
  });

  test('a CA that is made at the start is known, and only who may see all events is answered', async () => {
    const target = await serve({ AUDITING_API_TOKEN: 'secret' });
    await expect(ask(target, {})).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    const { files } = await ask(target, {}, 'secret');
    expect(files.map(({ text: content }) => content).join('')).toContain(
      'certificate-authority-data: ',
    );
  });
});
