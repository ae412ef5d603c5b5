import { isSame } from './json';

/** Most values that are remembered; what comes after begins anew. A body of 400 events has some 2,000. */
const MAX_VALUES: i32 = 8192;
/** Twice as many as values, so that most are found at once. */
const SLOT_MASK: u32 = 2 * MAX_VALUES - 1;
/** So many values with about the same hash are remembered: a sender that makes thousands of them must not cost more. */
const MAX_PROBES: i32 = 16;
/** Columns there may be. */
export const MAX_COLUMNS: i32 = 32;
const PRIME: u64 = 0x9e3779b97f4a7c15;

/** A value of a column, where it was met first; with the quotes or brackets around it. */
@unmanaged
class Value {
  hash: u32;
  start: usize;
  length: i32;
  column: i32;
  place: i32;
}

const VALUES: usize = memory.data(MAX_VALUES * 20);
/** One more than the number of a value; 0 is free. */
const SLOTS: usize = memory.data((SLOT_MASK + 1) * 2);
/** Of each column, the value that was met last: what an event has in a field, the next one mostly has too. */
const LAST: usize = memory.data(MAX_COLUMNS * 4);
const NO_SLOT: usize = 0;

let count: i32 = 0;
/** True as long as every value that was added is remembered: what is not found was never met. */
export let isWhole: bool = true;
/** Of what was looked for last and not found: its hash, and the free slot. */
let hash: u32 = 0;
let slot: usize = NO_SLOT;

export function forgetValues(): void {
  memory.fill(SLOTS, 0, (SLOT_MASK + 1) * 2);
  memory.fill(LAST, 0, MAX_COLUMNS * 4);
  count = 0;
  isWhole = true;
}

/** The value that was met last in a column; null if none was. */
function lastOf(column: i32): Value | null {
  return load<Value | null>(LAST + column * sizeof<usize>());
}

/** The position after the value at `start` if it is the one that was met last in this column; 0 if not. Ends before `limit`. */
export function repeatedEnd(column: i32, start: usize, limit: usize): usize {
  const last = lastOf(column);
  if (last === null) return 0;
  const end = start + last.length;
  return end <= limit && isSame(last.start, start, last.length) ? end : 0;
}

/** The place of the value that was met last in this column. */
export function lastPlace(column: i32): i32 {
  const last = lastOf(column);
  return last === null ? -1 : last.place;
}

/** The place that was remembered for these bytes in this column; -1 if there is none. */
export function findValue(column: i32, start: usize, end: usize): i32 {
  const length = <i32>(end - start);
  hash = hashOf(column, start, length);
  for (let probe = 0; probe < MAX_PROBES; probe++) {
    slot = SLOTS + ((hash + probe) & SLOT_MASK) * 2;
    const number = load<u16>(slot);
    if (number == 0) return -1;
    const value = valueOf(number);
    if (
      value.hash == hash &&
      value.column == column &&
      value.length == length &&
      isSame(value.start, start, length)
    ) {
      store<Value>(LAST + column * sizeof<usize>(), value);
      return value.place;
    }
  }
  slot = NO_SLOT;
  return -1;
}

/** Remembers the place of the bytes that `findValue` did not find just now. */
export function addValue(column: i32, start: usize, end: usize, place: i32): void {
  if (slot == NO_SLOT) {
    isWhole = false;
    return;
  }
  if (count == MAX_VALUES) {
    forgetValues();
    isWhole = false;
    slot = SLOTS + (hash & SLOT_MASK) * 2;
  }
  const number = <u16>++count;
  const value = valueOf(number);
  store<u16>(slot, number);
  value.hash = hash;
  value.start = start;
  value.length = <i32>(end - start);
  value.column = column;
  value.place = place;
  store<Value>(LAST + column * sizeof<usize>(), value);
}

function valueOf(number: u16): Value {
  return changetype<Value>(VALUES + (<usize>number - 1) * offsetof<Value>());
}

/** By the first and last bytes: all values of one column that begin and end alike are rare. */
function hashOf(column: i32, start: usize, length: i32): u32 {
  const seed = <u64>(length * 32 + column) * PRIME;
  if (length < 8) {
    const bytes = load<u64>(start) & (((<u64>1) << (length * 8)) - 1);
    return <u32>(((seed ^ bytes) * PRIME) >> 32);
  }
  const first = (seed ^ load<u64>(start)) * PRIME;
  return <u32>(((first ^ (first >> 32) ^ load<u64>(start + length - 8)) * PRIME) >> 32);
}
