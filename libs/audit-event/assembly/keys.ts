import { LOWER_BIT, NONE, byteAt, isSame } from './json';

// What is done with the value of a key: READ in scan-keys.ts. A verb, 2, is read as any text is.
export const READ_NOTHING: i32 = 0;
export const READ_TEXT: i32 = 1;
export const READ_NUMBER: i32 = 3;
export const READ_LIST: i32 = 4;
export const READ_OBJECT: i32 = 5;
export const READ_RECEIVED: i32 = 6;
export const READ_STAGED: i32 = 7;
export const READ_REQUEST_OBJECT: i32 = 8;
export const READ_RESPONSE_OBJECT: i32 = 9;

/** A key in the spelling of one of the API servers. */
@unmanaged
export class Key {
  /** With its quotes and the colon, as programs write it. */
  member: usize;
  memberLength: i32;
  /** One of READ. */
  read: i32;
  /** Place of its column; -1 without one. */
  column: i32;
  /** The keys below it that are known; null if none is. */
  below: Table | null;
  /** A bit of its own among the keys of its object. */
  bit: i32;
  /** Who spells an event's id so (Source); 0 for all other keys. */
  source: i32;
  /** The key that came after it the last time: mostly it comes again. */
  next: Key | null;
  /** Another key of the same slot. */
  sibling: Key | null;
}

const SLOTS: i32 = 256;

/** Known keys of one object, found by their bytes. */
@unmanaged
export class Table {
  /** The key that came first the last time. */
  first: Key | null;
  /** SLOTS lists of keys. */
  slots: usize;
}

/** Where the host puts the `"text":` of a key that it adds. */
export const KEY_TEXT: usize = memory.data(128);

/** What `find` gives for a key that is ours, but not as an API server spells it. */
export const ODD: usize = 1;

/** A table without keys. */
export function newTable(): Table {
  const table = changetype<Table>(heap.alloc(offsetof<Table>()));
  const bytes = SLOTS * sizeof<usize>();
  table.first = null;
  table.slots = heap.alloc(bytes);
  memory.fill(table.slots, 0, bytes);
  return table;
}

/** Adds the key whose `"text":` is at KEY_TEXT, `length` bytes of it. */
export function newKey(table: Table, length: i32): Key {
  const key = changetype<Key>(heap.alloc(offsetof<Key>()));
  // All of a step of isSame may be read.
  key.member = heap.alloc(length + 16);
  key.memberLength = length;
  memory.copy(key.member, KEY_TEXT, length);
  const slot = slotAt(table, key.member + 1, key.member + length - 2);
  key.sibling = load<Key | null>(slot);
  store<Key>(slot, key);
  key.next = null;
  return key;
}

/** Says what a key is. */
export function describeKey(
  key: Key,
  read: i32,
  column: i32,
  below: Table | null,
  bit: i32,
  source: i32,
): void {
  key.read = read;
  key.column = column;
  key.below = below;
  key.bit = bit;
  key.source = source;
}

/** The key whose characters, all of them ASCII, lie from `start` to `end`, as a pointer; NONE if it is not known, or ODD. */
export function find(table: Table, start: usize, end: usize): usize {
  const length = <i32>(end - start);
  let isOurs = false;
  let key = load<Key | null>(slotAt(table, start, end));
  while (key !== null) {
    if (key.memberLength - 3 == length) {
      if (isSame(start, key.member + 1, length)) return changetype<usize>(key);
      isOurs = isOurs || isFolded(start, key.member + 1, length);
    }
    key = key.sibling;
  }
  return isOurs ? ODD : NONE;
}

/** Whether both are the same but for the case of letters. */
function isFolded(one: usize, other: usize, length: i32): bool {
  for (let at = 0; at < length; at++)
    if (lower(byteAt(one + at)) != lower(byteAt(other + at))) return false;
  return true;
}

function lower(byte: u8): u8 {
  return <u8>(byte - 0x41) < 26 ? byte | LOWER_BIT : byte;
}

/** Both spellings of a key, and every other case of it, have one slot. */
function slotAt(table: Table, start: usize, end: usize): usize {
  const first = byteAt(start) | LOWER_BIT;
  const middle = byteAt((start + end) >> 1) | LOWER_BIT;
  const last = byteAt(end - 1) | LOWER_BIT;
  const hash = <u32>(end - start) * 37 + <u32>first * 5 + <u32>middle * 11 + <u32>last * 3;
  return table.slots + (hash & (SLOTS - 1)) * sizeof<usize>();
}
