/**
 * Values under a budget of bytes, the least recently used dropped first. A value that is being loaded is loaded once
 * for all who ask; one that could not be loaded is not kept.
 */
export class ByteCache<Value> {
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry<Value>>();
  #bytes = 0;

  constructor(readonly maxBytes: number) {}

  /** Bytes of all values that are loaded. Passes `maxBytes` only by what is in use: one value at least is kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The value, loaded if it is not there. */
  get(key: string, load: () => Promise<Sized<Value>>): Promise<Value> {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.value;
    }
    const value = this.#load(key, load);
    this.#entries.set(key, { bytes: 0, value });
    return value;
  }

  /** Drops all values whose key begins so. */
  drop(prefix: string): void {
    for (const [key, entry] of this.#entries) {
      if (key.startsWith(prefix)) this.#remove(key, entry);
    }
  }

  async #load(key: string, load: () => Promise<Sized<Value>>): Promise<Value> {
    let loaded: Sized<Value>;
    try {
      loaded = await load();
    } catch (error) {
      this.#entries.delete(key);
      throw error;
    }
    const entry = this.#entries.get(key);
    // Dropped meanwhile: whoever asked gets the value, but it is not kept.
    if (entry?.bytes === 0) {
      entry.bytes = loaded.bytes;
      this.#bytes += loaded.bytes;
      this.#shrink(key);
    }
    return loaded.value;
  }

  #shrink(keep: string): void {
    for (const [key, entry] of this.#entries) {
      if (this.#bytes <= this.maxBytes) return;
      if (key !== keep) this.#remove(key, entry);
    }
  }

  #remove(key: string, entry: Entry<Value>): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

/** A value and what it takes in memory. */
export interface Sized<Value> {
  readonly value: Value;
  readonly bytes: number;
}

interface Entry<Value> {
  /** 0 while it is being loaded. */
  bytes: number;
  readonly value: Promise<Value>;
}
