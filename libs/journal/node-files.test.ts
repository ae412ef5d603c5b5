import { constants, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenMode } from './files';
import { nodeFiles } from './node-files';

/** Flags of this process's open file of a path, as the kernel has them. */
function flagsOf(path: string): number {
  if (process.platform !== 'linux') return 0;
  const descriptor = readdirSync('/proc/self/fd').find((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`) === path;
    } catch {
      return false;
    }
  });
  const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8');
  return Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? '', 8);
}

describe('files of this machine', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'node-files-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  test.each([
    ['create durably', true],
    ['write durably', true],
    ['create', false],
    ['write', false],
  ] as [OpenMode, boolean][])('opened to %s: each write is synced: %p', async (mode, isDurable) => {
    const path = join(folder, 'file');
    await (await nodeFiles.open(path, 'create')).close();
    const file = await nodeFiles.open(path, mode);
    // Elsewhere the kernel does not tell.
    const isSynced = (flagsOf(path) & constants.O_DSYNC) !== 0;
    expect(process.platform === 'linux' ? isSynced : isDurable).toBe(isDurable);
    await file.write(0, [Buffer.from('ab'), Buffer.alloc(0), Buffer.from('c')]);
    await file.close();
    expect(readFileSync(path, 'utf8')).toBe('abc');
  });
});
