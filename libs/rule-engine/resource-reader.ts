import type { JsonValue } from '@auditing/audit-event/event-fields';
import { isJsonObject, type JsonObject } from '@auditing/audit-event/field-keys';
import { Priority } from '@auditing/proto/event';
import type { Report } from './report';
import { ownValue } from './text-value';

const NOTHING: JsonObject = {};

/** Reads the fields of an object of a resource; what has the wrong type is reported and taken as missing. */
export class ObjectReader {
  private constructor(
    private readonly object: JsonObject,
    readonly path: string,
    readonly report: Report,
  ) {}

  /** Reads `value`; anything but an object is read as an empty one. */
  static of(value: JsonValue | undefined, path: string, report: Report): ObjectReader {
    if (isJsonObject(value)) return new ObjectReader(value, path, report);
    if (value !== undefined && value !== null) {
      report.error(path, `expected an object, found ${typeName(value)}`);
    }
    return new ObjectReader(NOTHING, path, report);
  }

  /** Whether the field is there and not null. */
  has(key: string): boolean {
    return (this.raw(key) ?? null) !== null;
  }

  /** The names of the fields. */
  keys(): string[] {
    return Object.keys(this.object);
  }

  /** The field as it is; undefined where there is none or it is null. */
  value(key: string): JsonValue | undefined {
    return this.raw(key) ?? undefined;
  }

  /** Reports fields that nobody reads: a misspelt one would silently do nothing. */
  allowOnly(keys: readonly string[]): void {
    for (const key of this.keys()) {
      if (!keys.includes(key))
        this.report.error(this.at(key), `expected ${keys.join(', ')}, found \`${key}\``);
    }
  }

  /** Where a field stands in its resource. */
  at(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  /** A text; empty where there is none. A number or boolean, which YAML makes of bare words, is taken as written. */
  text(key: string): string {
    const value = this.raw(key) ?? '';
    if (typeof value === 'object') {
      this.report.error(this.at(key), `expected a text, found ${typeName(value)}`);
      return '';
    }
    return String(value);
  }

  /** A boolean; undefined where there is none. */
  flag(key: string): boolean | undefined {
    const value = this.raw(key) ?? undefined;
    if (value === undefined || typeof value === 'boolean') return value;
    const word = typeof value === 'string' ? value.trim().toLowerCase() : '';
    if (word === 'true' || word === 'false') {
      this.report.warn(this.at(key), `expected true or false without quotes; taken as ${word}`);
      return word === 'true';
    }
    this.report.error(
      this.at(key),
      `expected true or false, found ${typeName(value)}; taken as missing`,
    );
    return undefined;
  }

  /** A list; empty where there is none. */
  list(key: string): readonly JsonValue[] {
    const value = this.raw(key) ?? [];
    if (Array.isArray(value)) return value as readonly JsonValue[];
    this.report.error(this.at(key), `expected a list, found ${typeName(value)}`);
    return [];
  }

  /** An object. */
  child(key: string): ObjectReader {
    return ObjectReader.of(this.raw(key), this.at(key), this.report);
  }

  /**
   * A priority. Upper case is what the original demands; other spellings are taken too.
   *
   * @returns UNSPECIFIED where there is none or it is not known
   */
  priority(key: string): Priority {
    const word = this.text(key).trim();
    if (word === '') return Priority.UNSPECIFIED;
    const priority = PRIORITIES.get(word.toUpperCase());
    if (priority === undefined) {
      this.report.warn(this.at(key), `expected DEBUG, INFO or WARNING, found \`${word}\``);
    }
    return priority ?? Priority.UNSPECIFIED;
  }

  private raw(key: string): JsonValue | undefined {
    return ownValue(this.object, key);
  }
}

const PRIORITIES: ReadonlyMap<string, Priority> = new Map([
  ['DEBUG', Priority.DEBUG],
  ['INFO', Priority.INFO],
  ['WARNING', Priority.WARNING],
]);

/** What a value is, in the words of a message. */
export function typeName(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `\`${String(value).slice(0, 80)}\``;
}
