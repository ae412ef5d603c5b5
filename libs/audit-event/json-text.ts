import type { JsonValue } from './event-fields';

/** JSON.stringify; empty for a value nested so deep (thousands of levels) that it overflows the stack. */
export function jsonText(value: JsonValue): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) return '';
    throw error;
  }
}

/** A value as text: text as it is, anything else as JSON; empty for what is missing. */
export function valueText(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : jsonText(value);
}
