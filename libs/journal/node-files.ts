import { constants, writeSync } from 'node:fs';
import { mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Files, OpenFile, OpenMode } from './files';

/** `create` empties what is there: only files under a temporary name are made so. */
const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
  'write durably': constants.O_RDWR | constants.O_DSYNC,
  'create durably': constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_DSYNC,
};

/**
 * What Linux has written to a file with O_DSYNC is on disk, in one call instead of two, which is a quarter of what an append
 * costs. Elsewhere it may mean less: there fdatasync is called.
 */
const IS_DSYNC_ENOUGH = process.platform === 'linux';

/** Audit logs tell who did what: only the user that runs the service may read them. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** The files of this machine. */
export const nodeFiles: Files = {
  open: async (path, mode) =>
    openedFile(await open(path, FLAGS[mode], FILE_MODE), {
      isSynced: mode.endsWith('durably') && !IS_DSYNC_ENOUGH,
    }),
  rename,
  unlink,
  makeDirectory,
  list: (path) => readdir(path),
  syncDirectory,
};

function openedFile(handle: FileHandle, { isSynced }: { isSynced: boolean }): OpenFile {
  let closing: Promise<void> | undefined;
  return {
    size: async () => (await handle.stat()).size,
    read: (position, length) => readFully(handle, position, length),
    async write(position, chunks) {
      await writeFully(handle, position, chunks);
      if (isSynced) await handle.datasync();
    },
    writeNow: (position, bytes) => writeFullyNow(handle.fd, position, bytes),
    truncate: (size) => handle.truncate(size),
    sync: () => handle.sync(),
    close: () => (closing ??= handle.close()),
  };
}

async function readFully(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** The kernel may take a part only: when the disk fills, or beyond 2 GiB. The rest is then tried again. */
async function writeFully(
  handle: FileHandle,
  position: number,
  chunks: readonly Uint8Array[],
): Promise<void> {
  let rest = chunks.filter((chunk) => chunk.length > 0);
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at);
    at += bytesWritten;
    rest = without(rest, bytesWritten);
  }
}

function writeFullyNow(fd: number, position: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length)
    written += writeSync(fd, bytes, written, bytes.length - written, position + written);
}

function without(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes;
  return chunks.flatMap((chunk) => {
    const cut = Math.min(left, chunk.length);
    left -= cut;
    return cut === chunk.length ? [] : [chunk.subarray(cut)];
  });
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: DIRECTORY_MODE });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT') throw error;
    await makeDirectory(dirname(path));
    await makeDirectory(path);
    return;
  }
  await syncDirectory(dirname(path));
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
