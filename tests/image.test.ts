import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

jest.setTimeout(300_000);

const ROOT = join(__dirname, '..');

interface Sbom {
  readonly bomFormat: string;
  readonly metadata: { readonly component: { readonly name: string } };
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly purl: string;
    readonly hashes?: readonly { readonly content: string }[];
  }[];
}

describe.each(['gateway', 'standalone'])('what the image of %s holds', (app) => {
  const folder = mkdtempSync(join(tmpdir(), 'auditing-image-'));
  beforeAll(() => {
    execFileSync(process.execPath, [join(ROOT, 'tools/image.mjs'), app, folder], { stdio: 'pipe' });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('starts without the packages of this repository', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(folder, 'main.js')], {
      cwd: tmpdir(),
      env: { AUDITING_WEBHOOK_PORT: 'none' },
      encoding: 'utf8',
    });
    expect(stderr).toContain('AUDITING_WEBHOOK_PORT: expected a whole number');
    expect(status).toBe(1);
  });

  test('compresses with zstd: without the library it would, in silence, do so worse', () => {
    const code = `import('@mongodb-js/zstd/bindings.js').then((zstd) => zstd.compress(Buffer.alloc(9), 3))`;
    const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', `await ${code}`], {
      cwd: folder,
    });
    expect(status).toBe(0);
  });

  test('holds the shipped resources only where an app reads them', () => {
    expect(existsSync(join(folder, 'config/webhook.yaml'))).toBe(app === 'standalone');
  });

  test('is listed, each package with its version and hash', () => {
    const sbom = JSON.parse(readFileSync(join(folder, 'sbom.cdx.json'), 'utf8')) as Sbom;
    expect(sbom.bomFormat).toBe('CycloneDX');
    expect(sbom.metadata.component.name).toBe(`kube-auditing-${app}`);
    const names = sbom.components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['@grpc/grpc-js', 'pino', '@mongodb-js/zstd']));
    for (const { purl, version, hashes } of sbom.components) {
      expect(purl).toMatch(/^pkg:npm\/(%40[\w.-]+\/)?[\w.-]+@/);
      expect(version).toMatch(/^\d+\.\d+/);
      expect(hashes?.[0]?.content).toMatch(/^[0-9a-f]{128}$/);
    }
    const outside = readdirSync(join(folder, 'node_modules')).flatMap((name) =>
      name.startsWith('@')
        ? readdirSync(join(folder, 'node_modules', name)).map((one) => `${name}/${one}`)
        : [name],
    );
    expect(names).toEqual(expect.arrayContaining(outside));
  });
});
