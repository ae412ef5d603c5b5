import type { Files } from './files';

/** A disk in memory that loses what was not synced, and fails as it is told. For tests. */
export interface FaultyDisk {
  /** The disk as a process sees it until the next crash(); get it anew after one: the old one is dead. */
  readonly files: Files;
  /**
   * Cuts the power and switches it on again. Bytes that were not synced and names whose directory was not synced
   * are kept, lost or kept in part, by the seed.
   */
  crash(): void;
  /** Lets the power go off during the n-th change (write, sync, rename, …) from now; crash() switches it on again. */
  cutPowerAt(nth: number): void;
  /** Makes the n-th sync of a file or directory from now fail with EIO. What it should have synced is never written. */
  failSync(nth?: number): void;
  /** Makes the n-th write from now fail with EIO, after a part of it, by the seed. */
  failWrite(nth?: number): void;
  /** Changes how many bytes fit; a write that does not fit writes what does and fails with ENOSPC. */
  setCapacity(bytes: number): void;
  /** Inverts a bit of the byte at `offset`. */
  flip(path: string, offset: number): void;
  /** Paths of all files. */
  paths(): string[];
}

/** A new, empty disk. The same seed gives the same faults. */
export declare function faultyDisk(seed: number): FaultyDisk;
