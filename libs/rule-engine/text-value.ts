import type { JsonValue } from '@auditing/audit-event/event-fields';
import { isJsonObject, type JsonObject } from '@auditing/audit-event/field-keys';

/** Nesting beyond which a value is cut short: deeper ones are made to hurt, and the stack is finite. */
const MAX_DEPTH = 500;

/** The value of a key that the object itself has: never something inherited, whatever the key. */
export function ownValue(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/**
 * A value as text, which is what texts, patterns and lists are compared with: as Go prints it, but numbers
 * without an exponent.
 *
 * @example `[10.0.0.8 192.168.0.2]`, `map[n:1 ok:true]`, `<nil>`
 */
export function textOfValue(value: JsonValue): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
      return textOfNumber(value);
    case 'boolean':
      return value ? 'true' : 'false';
    default:
      return textOfTree(value, 0);
  }
}

function textOfTree(value: JsonValue, depth: number): string {
  if (value === null) return '<nil>';
  if (typeof value !== 'object') return textOfValue(value);
  if (depth >= MAX_DEPTH) return '…';
  if (!isJsonObject(value))
    return `[${value.map((item) => textOfTree(item, depth + 1)).join(' ')}]`;
  const entries = Object.keys(value).sort(compareText);
  return `map[${entries.map((key) => `${key}:${textOfTree(value[key] ?? null, depth + 1)}`).join(' ')}]`;
}

/** A number in plain decimal digits: 1234567890 and 0.0000001, never 1e+09 or 1e-7. */
export function textOfNumber(value: number): string {
  const text = String(value);
  const [mantissa = '', exponent] = text.split('e');
  if (exponent === undefined) return text;
  const sign = mantissa.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}`;
}

/**
 * Compares by the bytes of UTF-8, which is the order of code points. JavaScript's own order is that of UTF-16
 * units, which puts everything beyond U+FFFF before U+E000.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rankOfUnit(x) - rankOfUnit(y);
  }
  return a.length - b.length;
}

/** Moves surrogates, which stand for code points beyond U+FFFF, behind all other units. */
function rankOfUnit(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
