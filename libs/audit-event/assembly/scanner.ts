import { emptyRow, fillIn, forgetCells, readCell } from './cells';
import {
  CLOSE_BRACE,
  COMMA,
  NONE,
  OPEN_BRACE,
  PADDING,
  QUOTE,
  byteAt,
  isSame,
  passPlain,
  passValue,
  skipSpace,
  valueAfterKey,
} from './json';
import {
  KEY_TEXT,
  Key,
  ODD,
  READ_NOTHING,
  READ_OBJECT,
  READ_RECEIVED,
  READ_REQUEST_OBJECT,
  READ_RESPONSE_OBJECT,
  READ_STAGED,
  Table,
  find,
  newKey,
  newTable,
} from './keys';
import { forgetMinute, micros, passTime } from './times';
import { forgetValues } from './values';

// Reads events out of a body in memory: what event-scanner.ts says of it, and scan-machine.ts calls.

const NULL: u8 = 0x6e;
/** As in json.ts: nothing shorter is nested deeper. */
const MAX_DEPTH: usize = 10_000;

/** The event that was read last. Positions are addresses; 0 for what it does not have. */
@unmanaged
class Event {
  receivedUs: f64;
  stageUs: f64;
  source: i32;
  requestStart: usize;
  requestEnd: usize;
  responseStart: usize;
  responseEnd: usize;
}

const event = changetype<Event>(memory.data(40));

let hasObjectRef: bool = false;
let eventKeys: Table = changetype<Table>(0);
let objectRefKeys: Table = changetype<Table>(0);
let bodyStart: usize = 0;
let bodyEnd: usize = 0;

export { rowAt, setColumns, setEmpty } from './cells';
export { describeKey } from './keys';

/** Where the host puts the text of a key that it adds. */
export function keyTextAt(): usize {
  return KEY_TEXT;
}

/** Where the facts are of the event that was read last: see Event. */
export function eventAt(): usize {
  return changetype<usize>(event);
}

/** A table of keys, to be filled. */
export function addTable(): Table {
  return newTable();
}

/** Adds the key whose `"text":` is at keyTextAt, `length` bytes of it; it is described next. */
export function addKey(table: Table, length: i32): Key {
  return newKey(table, length);
}

/** Says which tables events are read by. */
export function useTables(ofEvent: Table, ofObjectRef: Table): void {
  eventKeys = ofEvent;
  objectRefKeys = ofObjectRef;
}

/** Makes room for a body, which the host then puts there. Where that is; what was read of another body is forgotten. */
export function begin(length: i32): usize {
  if (bodyStart == 0) bodyStart = (heap.alloc(16) + 15) & ~15;
  bodyEnd = bodyStart + length;
  const pages = <i32>((bodyEnd + PADDING + 0xffff) >> 16);
  if (pages > memory.size() && memory.grow(pages - memory.size()) < 0) unreachable();
  memory.fill(bodyEnd, 0, PADDING);
  forgetValues();
  forgetMinute();
  forgetCells();
  return bodyStart;
}

/** True if the body is one JSON value, with nothing but white space around it. */
export function isJson(): bool {
  const end = passValue(skipSpace(bodyStart));
  return end != NONE && skipSpace(end) == bodyEnd;
}

/** Reads the event that begins at `start`. The position after it; NONE if that is for JSON.parse to do. */
export function scan(start: usize): usize {
  if (byteAt(start) != OPEN_BRACE) return NONE;
  emptyRow();
  memory.fill(changetype<usize>(event), 0, offsetof<Event>());
  hasObjectRef = false;
  const end = members(eventKeys, start);
  if (end != NONE) fillIn(hasObjectRef);
  return end;
}

/** Reads the members of the object at `start`. The position after it; NONE if this is for JSON.parse to do. */
function members(keys: Table, start: usize): usize {
  let at = skipSpace(start + 1);
  if (byteAt(at) == CLOSE_BRACE) return at + 1;
  let seen = 0;
  let before: Key | null = null;
  while (true) {
    // Keys mostly come in the same order again.
    let key: Key | null = before === null ? keys.first : before.next;
    let value: usize;
    if (key !== null && isSame(key.member, at, key.memberLength)) {
      value = skipSpace(at + key.memberLength);
    } else {
      if (byteAt(at) != QUOTE) return NONE;
      const keyEnd = passPlain(at + 1);
      if (byteAt(keyEnd) != QUOTE) return NONE;
      const found = find(keys, at + 1, keyEnd);
      value = valueAfterKey(keyEnd + 1);
      if (value == NONE || found == ODD) return NONE;
      key = changetype<Key | null>(found);
    }
    if (key === null) at = passValue(value);
    else {
      if (seen & key.bit) return NONE;
      seen |= key.bit;
      if (key.source) event.source = key.source;
      if (before === null) keys.first = key;
      else before.next = key;
      before = key;
      at = readValue(key, value);
    }
    if (at == NONE) return NONE;
    at = skipSpace(at);
    if (byteAt(at) == CLOSE_BRACE) return at + 1;
    if (byteAt(at) != COMMA) return NONE;
    at = skipSpace(at + 1);
  }
}

/** Reads the value of a known key. The position after it; NONE if this is for JSON.parse to do. */
function readValue(key: Key, at: usize): usize {
  // What is null is as if it were not there.
  if (key.read == READ_NOTHING || byteAt(at) == NULL) return passValue(at);
  switch (key.read) {
    case READ_OBJECT:
      return readObject(key.below, at);
    case READ_RECEIVED:
    case READ_STAGED:
      return readTime(key.read, at);
    case READ_REQUEST_OBJECT:
    case READ_RESPONSE_OBJECT:
      return readBody(key.read, at);
    default:
      return readCell(key, at, bodyEnd);
  }
}

function readObject(below: Table | null, at: usize): usize {
  if (byteAt(at) != OPEN_BRACE || below === null) return NONE;
  if (below === objectRefKeys) hasObjectRef = true;
  const end = members(below, at);
  // Whoever parses the event later counts levels from here; nothing short is deep.
  return end != NONE && end - at > MAX_DEPTH && passValue(at) != end ? NONE : end;
}

function readTime(read: i32, at: usize): usize {
  if (byteAt(at) != QUOTE) return passValue(at);
  const end = passTime(at);
  if (end == NONE) return NONE;
  if (read == READ_STAGED) event.stageUs = micros;
  else event.receivedUs = micros;
  return end;
}

function readBody(read: i32, at: usize): usize {
  const end = passValue(at);
  if (read == READ_REQUEST_OBJECT) {
    event.requestStart = at;
    event.requestEnd = end;
  } else {
    event.responseStart = at;
    event.responseEnd = end;
  }
  return end;
}
