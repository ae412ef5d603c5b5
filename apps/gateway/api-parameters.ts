import type { Timestamp } from '@auditing/proto/timestamp';
import { ApiError, badParameter } from './api-error';
import { readTime, TIME_SCHEMA } from './read-time';

/** A parameter of a question: what the OpenAPI document says of it, and how it is read. */
export interface ApiParameter {
  readonly name: string;
  /** Default `query`. */
  readonly in?: 'path' | 'header';
  readonly description: string;
  /** JSON schema of its value. */
  readonly schema: object;
  /** Whether there is no answer without it. Those of a path always are. */
  readonly required?: boolean;
}

/** A parameter with a reader, which throws ApiError with status 400. */
export interface ReadParameter<T> extends ApiParameter {
  readonly read: (parameters: URLSearchParams) => T;
}

interface Named {
  readonly name: string;
  readonly description: string;
}

/** The value of a parameter; empty if it is not there. Throws ApiError if it is there twice: one of them would be ignored. */
export function single(parameters: URLSearchParams, name: string): string {
  const values = parameters.getAll(name);
  if (values.length > 1) {
    throw new ApiError(400, `${name}: expected one value, got ${values.length}`, {
      parameter: name,
      expected: 'one value',
      example: values[0] ?? '',
    });
  }
  return values[0] ?? '';
}

/** A whole number; `fallback` where there is none. */
export function numberParameter(
  named: Named,
  range: { readonly fallback: number; readonly min: number; readonly max: number },
): ReadParameter<number> {
  const { min, max, fallback } = range;
  return {
    ...named,
    schema: { type: 'integer', minimum: min, maximum: max, default: fallback },
    read(parameters) {
      const text = single(parameters, named.name);
      if (text === '') return fallback;
      const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
      if (number >= min && number <= max) return number;
      throw badParameter(named.name, text, {
        expected: `a whole number from ${min} to ${max}`,
        example: String(fallback),
      });
    },
  };
}

/** `true` or `false`; false where there is none. */
export function booleanParameter(named: Named): ReadParameter<boolean> {
  return {
    ...named,
    schema: { type: 'boolean', default: false },
    read(parameters) {
      const text = single(parameters, named.name) || 'false';
      if (text === 'true' || text === 'false') return text === 'true';
      throw badParameter(named.name, text, { expected: 'true or false', example: 'true' });
    },
  };
}

/** One of some words; `fallback` where there is none, and required without it. */
export function choiceParameter<T>(
  named: Named,
  words: ReadonlyMap<string, T>,
  fallback?: string,
): ReadParameter<T> {
  const [first = ''] = words.keys();
  return {
    ...named,
    schema: {
      type: 'string',
      enum: [...words.keys()],
      ...(fallback !== undefined && { default: fallback }),
    },
    required: fallback === undefined,
    read(parameters) {
      const text = single(parameters, named.name) || (fallback ?? '');
      const value = words.get(text);
      if (value !== undefined) return value;
      throw badParameter(named.name, text, {
        expected: `one of ${[...words.keys()].join(', ')}`,
        example: fallback ?? first,
      });
    },
  };
}

/** Any text; empty where there is none. With an example it is required. */
export function textParameter(named: Named, example?: string): ReadParameter<string> {
  return {
    ...named,
    schema: { type: 'string', ...(example !== undefined && { minLength: 1, examples: [example] }) },
    required: example !== undefined,
    read(parameters) {
      const text = single(parameters, named.name);
      if (text === '' && example !== undefined) {
        throw badParameter(named.name, text, { expected: 'a text, not empty', example });
      }
      return text;
    },
  };
}

/** A moment; undefined where there is none. */
export function timeParameter(named: Named): ReadParameter<Timestamp | undefined> {
  return {
    ...named,
    schema: TIME_SCHEMA,
    read(parameters) {
      const text = single(parameters, named.name);
      return text === '' ? undefined : readTime(named.name, text);
    },
  };
}

/** Part of a path: hexadecimal digits. */
export function hexParameter(named: Named, digits: number): ApiParameter {
  const schema = { type: 'string', pattern: `^[0-9a-fA-F]{${digits}}$` };
  return { ...named, in: 'path', schema };
}
