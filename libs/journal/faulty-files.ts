import { basename, dirname } from 'node:path';
import { FaultyFile, seededRandom } from './faulty-file';
import type { Random } from './faulty-file';
import { FaultyNames } from './faulty-names';
import type { Files, OpenFile, OpenMode } from './files';

/** A disk in memory that loses what was not synced, and fails as it is told. For tests. */
export interface FaultyDisk {
  /** The disk as a process sees it until the next crash(); get it anew after one: the old one is dead. */
  readonly files: Files;
  /**
   * Cuts the power and switches it on again. Bytes that were not synced and names whose directory was not synced
   * are kept, lost or kept in part, by the seed.
   */
  crash(): void;
  /** Kills the process, as kill -9 does: the power stays on, and what was written is there, synced or not. */
  kill(): void;
  /** False after the power went off, until crash() or kill(). */
  readonly isPowered: boolean;
  /** Lets the power go off during the n-th change (write, sync, rename, …) from now: then all fails until crash() or kill(). */
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
export function faultyDisk(seed: number): FaultyDisk {
  return new MemoryDisk(seededRandom(seed));
}

/** Counts down to the operation that fails. */
class Countdown {
  #left = 0;

  set(nth: number): void {
    this.#left = nth;
  }

  reaches(): boolean {
    return this.#left > 0 && --this.#left === 0;
  }
}

class MemoryDisk implements FaultyDisk {
  readonly #random: Random;
  readonly #power = new Countdown();
  readonly #syncs = new Countdown();
  readonly #writes = new Countdown();
  readonly #directories = new Set(['/']);
  #names = new FaultyNames();
  #capacity = Infinity;
  #boot = new Boot(this);

  constructor(random: Random) {
    this.#random = random;
  }

  get files(): Files {
    return this.#boot;
  }

  crash(): void {
    this.#boot.isOn = false;
    this.#names = this.#names.afterCrash(this.#random);
    for (const countdown of [this.#power, this.#syncs, this.#writes]) countdown.set(0);
    this.#boot = new Boot(this);
  }

  kill(): void {
    this.#boot.isOn = false;
    this.#boot = new Boot(this);
    this.#power.set(0);
  }

  get isPowered(): boolean {
    return this.#boot.isOn;
  }

  cutPowerAt(nth: number): void {
    this.#power.set(nth);
  }

  failSync(nth = 1): void {
    this.#syncs.set(nth);
  }

  failWrite(nth = 1): void {
    this.#writes.set(nth);
  }

  setCapacity(bytes: number): void {
    this.#capacity = bytes;
  }

  flip(path: string, offset: number): void {
    this.file(path).flip(offset);
  }

  paths(): string[] {
    return [...this.#names.seen.keys()].sort();
  }

  list(directory: string): string[] {
    return this.paths()
      .filter((path) => dirname(path) === directory)
      .map((path) => basename(path));
  }

  file(path: string): FaultyFile {
    const file = this.#names.seen.get(path);
    if (!file) throw failure('ENOENT', `${path} is not there`);
    return file;
  }

  fileFor(path: string, mode: OpenMode): FaultyFile {
    const there = this.#names.seen.get(path);
    if (!mode.startsWith('create')) return this.file(path);
    if (!this.#directories.has(dirname(path)))
      throw failure('ENOENT', `${dirname(path)} is not there`);
    if (there) this.change(() => there.truncate(0));
    else this.change(() => this.#names.add(path, new FaultyFile()));
    return this.file(path);
  }

  /** Does a change of the disk, or half of the time not, if the power goes off at it. */
  change(make: () => void): void {
    if (!this.#power.reaches()) {
      make();
      return;
    }
    if (this.#random() < 0.5) make();
    this.#boot.isOn = false;
    throw failure('EIO', 'the power went off');
  }

  write(file: FaultyFile, position: number, bytes: Buffer): void {
    const fails = this.#writes.reaches();
    const used = [...this.#names.seen.values()].reduce((sum, { size }) => sum + size, 0);
    const room = Math.max(file.size, file.size + this.#capacity - used) - position;
    const torn = bytes.subarray(0, Math.floor(this.#random() * bytes.length));
    const taken = fails ? torn : bytes.subarray(0, room);
    if (taken.length > 0) this.change(() => file.write(position, taken));
    if (fails) throw failure('EIO', 'a write failed');
    if (taken.length < bytes.length) throw failure('ENOSPC', 'the disk is full');
  }

  sync(file: FaultyFile): void {
    this.change(() => undefined);
    if (!this.#syncs.reaches()) {
      file.sync();
      return;
    }
    file.failSync(this.#random);
    throw failure('EIO', 'a sync failed');
  }

  syncDirectory(path: string): void {
    this.change(() => undefined);
    if (this.#syncs.reaches()) throw failure('EIO', 'the sync of a directory failed');
    this.#names.sync(path);
  }

  rename(from: string, to: string): void {
    const file = this.file(from);
    this.change(() => this.#names.rename(file, from, to));
  }

  unlink(path: string): void {
    this.file(path);
    this.change(() => this.#names.remove(path));
  }

  makeDirectory(path: string): void {
    for (let at = path; at !== dirname(at); at = dirname(at)) this.#directories.add(at);
  }
}

/** The disk between two crashes: once the power is off, whoever still holds it can change nothing. */
class Boot implements Files {
  readonly #disk: MemoryDisk;
  isOn = true;

  constructor(disk: MemoryDisk) {
    this.#disk = disk;
  }

  async open(path: string, mode: OpenMode): Promise<OpenFile> {
    const file = await this.#do((disk) => disk.fileFor(path, mode));
    return {
      size: () => this.#do(() => file.size),
      read: (position, length) => this.#do(() => file.read(position, length)),
      write: (position, chunks) =>
        this.#do((disk) => {
          disk.write(file, position, Buffer.concat(chunks));
          if (mode.endsWith('durably')) disk.sync(file);
        }),
      writeNow: (position, bytes) =>
        this.#now((disk) => disk.write(file, position, Buffer.from(bytes))),
      truncate: (size) => this.#do((disk) => disk.change(() => file.truncate(size))),
      sync: () => this.#do((disk) => disk.sync(file)),
      close: () => Promise.resolve(),
    };
  }

  rename(from: string, to: string): Promise<void> {
    return this.#do((disk) => disk.rename(from, to));
  }

  unlink(path: string): Promise<void> {
    return this.#do((disk) => disk.unlink(path));
  }

  makeDirectory(path: string): Promise<void> {
    return this.#do((disk) => disk.makeDirectory(path));
  }

  list(path: string): Promise<string[]> {
    return this.#do((disk) => disk.list(path));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#do((disk) => disk.syncDirectory(path));
  }

  /** In a later turn, as a real disk: others come between. */
  async #do<T>(operation: (disk: MemoryDisk) => T): Promise<T> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.#now(operation);
  }

  #now<T>(operation: (disk: MemoryDisk) => T): T {
    if (!this.isOn) throw failure('EIO', 'the power is off');
    return operation(this.#disk);
  }
}

function failure(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
