import { dirname } from 'node:path';
import type { FaultyFile, Random } from './faulty-file';

interface NameChange {
  readonly directory: string;
  readonly removed?: string;
  readonly added?: { readonly path: string; readonly file: FaultyFile };
}

/** The names on a faulty disk: as a process sees them, and as they are on the disk. */
export class FaultyNames {
  readonly seen = new Map<string, FaultyFile>();
  #onDisk = new Map<string, FaultyFile>();
  #unsynced: NameChange[] = [];

  add(path: string, file: FaultyFile): void {
    this.#change({ directory: dirname(path), added: { path, file } });
  }

  remove(path: string): void {
    this.#change({ directory: dirname(path), removed: path });
  }

  /** Within a directory; a crash finds the file under one of the two names, never under both or none. */
  rename(file: FaultyFile, from: string, to: string): void {
    this.#change({ directory: dirname(to), removed: from, added: { path: to, file } });
  }

  sync(directory: string): void {
    for (const change of this.#unsynced)
      if (change.directory === directory) apply(this.#onDisk, change);
    this.#unsynced = this.#unsynced.filter((change) => change.directory !== directory);
  }

  /** The names after the power was off: each change that was not synced is there or not. */
  afterCrash(random: Random): FaultyNames {
    for (const change of this.#unsynced) if (random() < 0.5) apply(this.#onDisk, change);
    const after = new FaultyNames();
    for (const [path, file] of this.#onDisk) {
      const kept = file.afterCrash(random);
      after.seen.set(path, kept);
      after.#onDisk.set(path, kept);
    }
    return after;
  }

  #change(change: NameChange): void {
    apply(this.seen, change);
    this.#unsynced.push(change);
  }
}

function apply(names: Map<string, FaultyFile>, change: NameChange): void {
  if (change.removed !== undefined) names.delete(change.removed);
  if (change.added) names.set(change.added.path, change.added.file);
}
