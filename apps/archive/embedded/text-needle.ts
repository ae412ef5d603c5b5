/** A needle of 8 bytes makes `Buffer.indexOf` leave memchr for a search that takes three times as long. */
const WINDOW_MAX_BYTES = 7;

/** Shorter ones are met too often where the whole is not: each time costs as much as memchr does for some thousand bytes. */
const WINDOW_MIN_BYTES = 4;

/** Windows met in vain, after which the rest is looked through for the whole at once. */
const VAIN_HITS_MAX = 64;

/** The bytes of audit events in JSON, the most frequent first (counted in recorded ones); all others are rarer. */
const FREQUENT = Buffer.from(
  '"esat:orin,ucm1dlp2-0b.{}6v43/gf785kR9 yTh\\Iq[]VZUPASCwzxjDNFMGOW()B=ELHJ?XYQK*_%@#',
);

/** By byte: how rare it is. */
const RARITY = new Uint8Array(256).fill(255);
FREQUENT.forEach((byte, place) => (RARITY[byte] = place));

/**
 * Bytes that are looked for in events. Only a window of them is: it begins at the rarest one, on which memchr stops seldom,
 * and around it the whole is compared.
 */
export class Needle {
  readonly #bytes: Buffer;
  /** Where the window begins. */
  readonly #place: number;
  readonly #window: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#place = rarestPlace(bytes);
    this.#window = bytes.subarray(this.#place, this.#place + WINDOW_MAX_BYTES);
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Where the needle is first, from a place on; -1 if it is not there. An empty one is everywhere. */
  firstIn(haystack: Buffer, from = 0): number {
    let hit = from + this.#place - 1;
    for (let vainHits = 0; vainHits < VAIN_HITS_MAX; vainHits += 1) {
      hit = haystack.indexOf(this.#window, hit + 1);
      if (hit === -1) return -1;
      const at = hit - this.#place;
      if (this.#isAt(haystack, at)) return at;
    }
    return haystack.indexOf(this.#bytes, hit - this.#place + 1);
  }

  #isAt(haystack: Buffer, at: number): boolean {
    const end = at + this.#bytes.length;
    return (
      end <= haystack.length && haystack.compare(this.#bytes, 0, this.#bytes.length, at, end) === 0
    );
  }
}

/** Where a window can begin best. */
function rarestPlace(bytes: Buffer): number {
  let best = 0;
  for (let place = 1; place <= bytes.length - WINDOW_MIN_BYTES; place += 1) {
    if ((RARITY[bytes[place] ?? 0] ?? 0) > (RARITY[bytes[best] ?? 0] ?? 0)) best = place;
  }
  return best;
}
