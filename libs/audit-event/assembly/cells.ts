import { emptyText, newValue, oddText, usualValue } from './host';
import {
  CLOSE_BRACE,
  COMMA,
  NONE,
  QUOTE,
  ZERO,
  byteAt,
  passDigits,
  passPlain,
  passPlainList,
  passString,
  passValue,
} from './json';
import { Key, READ_LIST, READ_NUMBER, READ_TEXT } from './keys';
import { MAX_COLUMNS, addValue, findValue, isWhole, lastPlace, repeatedEnd } from './values';

/** Of each column, the place of the value that the event has there. */
const ROW: usize = memory.data(MAX_COLUMNS * 4);
const NOT_SENT: i32 = -1;

/** Of each column, whether its cell is the empty text if the event has no such key: never, always, or where it has an ObjectRef. */
const EMPTY_KINDS: usize = memory.data(MAX_COLUMNS);
const EMPTY_ALWAYS: u8 = 1;
const EMPTY_IN_OBJECT_REF: u8 = 2;
/** Of each column, the place of the empty text, once an event had none. */
const EMPTY_PLACES: usize = memory.data(MAX_COLUMNS * 4);

/** A double holds all whole numbers of so many digits. */
const DIGITS_MAX: usize = 15;

let columnCount: i32 = 0;

/** Where the row of the event is that was read last. */
export function rowAt(): usize {
  return ROW;
}

/** Says how many columns there are: MAX_COLUMNS at most. */
export function setColumns(count: i32): void {
  if (count > MAX_COLUMNS) unreachable();
  columnCount = count;
}

/** Says that a column is empty where the event has no such key: one of EMPTY_…. */
export function setEmpty(column: i32, kind: i32): void {
  store<u8>(EMPTY_KINDS + column, <u8>kind);
}

/** Before another body. */
export function forgetCells(): void {
  memory.fill(EMPTY_PLACES, 0, MAX_COLUMNS * 4);
}

/** Before an event. */
export function emptyRow(): void {
  for (let column = 0; column < columnCount; column++) store<i32>(cell(column), NOT_SENT);
}

/** After an event: what Go has for fields that were not sent. */
export function fillIn(hasObjectRef: bool): void {
  for (let column = 0; column < columnCount; column++) {
    if (load<i32>(cell(column)) != NOT_SENT) continue;
    const kind = load<u8>(EMPTY_KINDS + column);
    const isEmpty = kind == EMPTY_ALWAYS || (kind == EMPTY_IN_OBJECT_REF && hasObjectRef);
    store<i32>(cell(column), isEmpty ? emptyPlace(column) : 0);
  }
}

function emptyPlace(column: i32): i32 {
  const at = EMPTY_PLACES + column * 4;
  if (load<i32>(at) == 0) store<i32>(at, emptyText(column));
  return load<i32>(at);
}

function cell(column: i32): usize {
  return ROW + column * 4;
}

/** Reads the value of a column. The position after it; NONE if this is for JSON.parse to do. The body ends at `bodyEnd`. */
export function readCell(key: Key, at: usize, bodyEnd: usize): usize {
  const column = key.column;
  const repeated = repeatedEnd(column, at, bodyEnd);
  if (repeated != 0 && (key.read != READ_NUMBER || isOver(repeated))) {
    store<i32>(cell(column), lastPlace(column));
    return repeated;
  }
  const end = usualEnd(key.read, at);
  if (end != NONE) {
    // A text is made once for each distinct value, not once for each event.
    let place = findValue(column, at, end);
    if (place < 0) {
      const isNew = isWhole && (key.read == READ_TEXT || key.read == READ_LIST);
      place = isNew ? newValue(column, at, end) : usualValue(column, at, end);
      addValue(column, at, end, place);
    }
    store<i32>(cell(column), place);
    return end;
  }
  const after = key.read == READ_TEXT && byteAt(at) == QUOTE ? passString(at) : NONE;
  if (after != NONE) store<i32>(cell(column), oddText(column, at, after));
  return after;
}

/** Whether a number that ends here does not go on. */
function isOver(end: usize): bool {
  const next = byteAt(end);
  return next == COMMA || next == CLOSE_BRACE;
}

/** The position after a value as programs write it: a text without escapes, a list of such, a whole number; NONE if it is another. */
function usualEnd(read: i32, at: usize): usize {
  if (read == READ_LIST) return passPlainList(at);
  if (read == READ_NUMBER) return numberEnd(at);
  if (byteAt(at) != QUOTE) return NONE;
  const end = passPlain(at + 1);
  return byteAt(end) == QUOTE ? end + 1 : NONE;
}

/** The position after a whole number without a sign: what a status code is. */
function numberEnd(at: usize): usize {
  const end = passDigits(at);
  const isUsual = end > at && end - at <= DIGITS_MAX && (byteAt(at) != ZERO || end == at + 1);
  return isUsual && passValue(at) == end ? end : NONE;
}
