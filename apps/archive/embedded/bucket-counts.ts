/** Counts times by buckets of the same width. */
export class BucketCounts {
  readonly #counts = new Map<number, number>();
  /** The earliest bucket with a time in it; Infinity while nothing is counted. */
  first = Infinity;
  /** The latest bucket with a time in it; -Infinity while nothing is counted. */
  last = -Infinity;
  total = 0;

  /** `widthUs`: width of a bucket in microseconds; bucket 0 begins in 1970. */
  constructor(readonly widthUs: number) {}

  /** Buckets with a time in them, in no order, with their counts. */
  get entries(): readonly (readonly [bucket: number, count: number])[] {
    return [...this.#counts];
  }

  /** How many times fell into a bucket. */
  countOf(bucket: number): number {
    return this.#counts.get(bucket) ?? 0;
  }

  add(bucket: number, count: number): void {
    if (count === 0) return;
    this.#counts.set(bucket, this.countOf(bucket) + count);
    this.first = Math.min(this.first, bucket);
    this.last = Math.max(this.last, bucket);
    this.total += count;
  }

  /** Adds the times of rows; without rows, all times. */
  addTimes(times: Float64Array, rows?: Uint32Array): void {
    const length = rows === undefined ? times.length : rows.length;
    let bucket = 0;
    let count = 0;
    // Of the bucket. Neighbours mostly fall into the same one: two comparisons for them, not a division.
    let beginUs = Infinity;
    let endUs = -Infinity;
    for (let place = 0; place < length; place += 1) {
      const timeUs = times[rows === undefined ? place : (rows[place] ?? 0)] ?? 0;
      if (timeUs >= beginUs && timeUs < endUs) {
        count += 1;
        continue;
      }
      this.add(bucket, count);
      bucket = Math.floor(timeUs / this.widthUs);
      beginUs = bucket * this.widthUs;
      endUs = beginUs + this.widthUs;
      count = 1;
    }
    this.add(bucket, count);
  }
}
