/**
 * The few file operations a journal needs, so that a test can put a disk with faults in their place
 * (faulty-files.ts). Errors are those of node:fs: an Error with a `code`, such as ENOENT or ENOSPC.
 */
export interface Files {
  /**
   * Opens a file. `read`: it must be there. `write`: it must be there, to be read and changed. `create`: it is
   * made, or emptied if it is there, to be read and changed. `durably`: likewise, and what is written to it is on disk, with
   * the metadata needed to read it, when `write` resolves.
   */
  open(path: string, mode: OpenMode): Promise<OpenFile>;
  /** Renames; replaces `to` if it is there. On disk for sure only after syncDirectory. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. On disk for sure only after syncDirectory. */
  unlink(path: string): Promise<void>;
  /** Makes a directory and those above it; each is on disk when it resolves. Nothing happens if it is there. */
  makeDirectory(path: string): Promise<void>;
  /** Names of what is in a directory, in no order. */
  list(path: string): Promise<string[]>;
  /** Puts the names in a directory on disk: after a file was made, renamed or removed. */
  syncDirectory(path: string): Promise<void>;
}

/** How a file is opened. */
export type OpenMode = 'read' | 'write' | 'create' | 'write durably' | 'create durably';

/** An open file. */
export interface OpenFile {
  /** Size in bytes. */
  size(): Promise<number>;
  /** Up to `length` bytes from `position`; fewer only at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  /**
   * Writes the chunks one after the other from `position` on: all of them, or it rejects (some may be written, and where it was
   * opened `durably`, some of them may not be on disk although the kernel shows them).
   */
  write(position: number, chunks: readonly Uint8Array[]): Promise<void>;
  /**
   * Writes bytes from `position` on before it returns, and so holds up all else: for a few bytes that must be with the
   * kernel even if the process dies in its next step. Throws if it cannot.
   */
  writeNow(position: number, bytes: Uint8Array): void;
  /** Cuts the file to `size` bytes. */
  truncate(size: number): Promise<void>;
  /** Puts data and metadata on disk (fsync). */
  sync(): Promise<void>;
  /** Closes the file. A second call does nothing. */
  close(): Promise<void>;
}
