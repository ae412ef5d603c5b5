import type { Files } from './files';

/** A small value on disk, replaced whole: a position, a set of marks. */
export interface Cursor {
  /** What was saved last and is on disk; undefined before the first save. */
  readonly value: Buffer | undefined;
  /**
   * Replaces the value; resolves when it, or one saved after it, is on disk. Calls that wait while a write is
   * under way are joined into one. Rejects if writing failed: the value before stays.
   */
  save(value: Uint8Array): Promise<void>;
}

/** Opens the value kept at `path` (and beside it: `path.previous`, `path.new`). Its folder is made if missing. */
export declare function openCursor(files: Files, path: string): Promise<Cursor>;

/**
 * Replaces a file whole: after a crash it has either the old bytes or the new ones. One call at a time for a path.
 */
export declare function writeDurably(files: Files, path: string, bytes: Uint8Array): Promise<void>;
