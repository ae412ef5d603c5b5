/** Random numbers from 0 to 1 (1 excluded) that are the same for the same seed (mulberry32). */
export type Random = () => number;

/** A sequence of random numbers. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Change =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly size: number };

/** Bytes of a file: a hole reads as zeros. */
class Bytes {
  #buffer = Buffer.alloc(0);
  size = 0;

  read(from: number, length: number): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.size).subarray(from, from + length));
  }

  apply(change: Change): void {
    if (change.kind === 'truncate') {
      this.#buffer.fill(0, change.size);
      this.size = Math.min(this.size, change.size);
      return;
    }
    const end = change.at + change.bytes.length;
    if (end > this.#buffer.length)
      this.#buffer = Buffer.concat([this.#buffer, Buffer.alloc(end + this.#buffer.length)]);
    change.bytes.copy(this.#buffer, change.at);
    this.size = Math.max(this.size, end);
  }
}

/** A file of a faulty disk: what a process sees of it, and what is on the disk. */
export class FaultyFile {
  readonly #seen = new Bytes();
  #onDisk = new Bytes();
  #unsynced: Change[] = [];

  get size(): number {
    return this.#seen.size;
  }

  read(from: number, length: number): Buffer {
    return this.#seen.read(from, length);
  }

  write(at: number, bytes: Uint8Array): void {
    this.#change({ kind: 'write', at, bytes: Buffer.from(bytes) });
  }

  truncate(size: number): void {
    this.#change({ kind: 'truncate', size });
  }

  /** Everything gets to the disk. */
  sync(): void {
    for (const change of this.#unsynced) this.#onDisk.apply(change);
    this.#unsynced = [];
  }

  /** As a kernel does: what could not be written is taken for written, and a later sync does not write it. */
  failSync(random: Random): void {
    for (const change of this.#unsynced) this.#applyInPart(change, random);
    this.#unsynced = [];
  }

  /** What the disk has after the power was off: of what was not synced, any part. */
  afterCrash(random: Random): FaultyFile {
    this.failSync(random);
    const after = new FaultyFile();
    after.#onDisk = this.#onDisk;
    after.#seen.apply({ kind: 'write', at: 0, bytes: this.#onDisk.read(0, this.#onDisk.size) });
    return after;
  }

  /** Decay: inverts the lowest bit of a byte. */
  flip(offset: number): void {
    for (const bytes of [this.#seen, this.#onDisk]) {
      const byte = bytes.read(offset, 1);
      if (byte.length > 0)
        bytes.apply({ kind: 'write', at: offset, bytes: Buffer.from([byte.readUInt8() ^ 1]) });
    }
  }

  #change(change: Change): void {
    this.#seen.apply(change);
    this.#unsynced.push(change);
  }

  #applyInPart(change: Change, random: Random): void {
    const share = random();
    if (share < 1 / 3) return;
    if (share < 2 / 3 || change.kind === 'truncate') {
      this.#onDisk.apply(change);
      return;
    }
    const { at, bytes } = change;
    const [from = 0, to] = [random(), random()]
      .map((part) => Math.floor(part * bytes.length))
      .sort((a, b) => a - b);
    this.#onDisk.apply({ kind: 'write', at: at + from, bytes: bytes.subarray(from, to) });
  }
}
