/** Turns the text of an environment variable into a value. */
export interface Parser<T> {
  /** What is expected, for error messages: `a whole number from 1 to 65535`. */
  readonly expected: string;
  /** For the table of settings: `bytes`, `duration`, `address`. */
  readonly unit: string;
  /** True if the value must never be shown. */
  readonly secret?: boolean;
  /** Throws if the text is not as expected; the message of a RangeError is shown too. */
  readonly parse: (text: string) => T;
}

/** Any text. */
export const text: Parser<string> = {
  expected: 'text',
  unit: 'text',
  parse: (value) => value,
};

/** A path of a file or folder, relative to the working directory. */
export const path: Parser<string> = { expected: 'a path', unit: 'path', parse: (value) => value };

/** Text that is never printed: a password, a token. */
export const secret: Parser<string> = {
  expected: 'a secret',
  unit: 'secret',
  secret: true,
  parse: (value) => value,
};

/** `true` or `false`. */
export const boolean: Parser<boolean> = {
  expected: 'true or false',
  unit: 'true, false',
  parse(value) {
    if (value === 'true') return true;
    if (value === 'false') return false;
    throw new TypeError();
  },
};

/** A whole number within bounds, both included. */
export function integer(min: number, max: number): Parser<number> {
  return {
    expected: `a whole number from ${min} to ${max}`,
    unit: 'number',
    parse(value) {
      const number = /^-?\d{1,15}$/.test(value) ? Number(value) : NaN;
      if (!(number >= min && number <= max)) throw new TypeError();
      return number;
    },
  };
}

/** A share: a number from 0 to 1. */
export const ratio: Parser<number> = {
  expected: 'a number from 0 to 1, such as 0.01',
  unit: '0 to 1',
  parse(value) {
    const number = /^(\d+\.?\d*|\.\d+)$/.test(value) ? Number(value) : NaN;
    if (!(number <= 1)) throw new TypeError();
    return number;
  },
};

/** A TCP port; 0 picks a free one. */
export const port: Parser<number> = { ...integer(0, 65_535), unit: 'port' };

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** A size such as `256MiB`; a number without a unit is bytes. Gives bytes. */
export const bytes: Parser<number> = {
  expected: 'a size such as 1048576, 512KiB, 256MiB or 10GiB',
  unit: 'bytes',
  parse: (value) => withUnit(value, BYTE_UNITS),
};

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A time span such as `5s` or `30d`; 0 needs no unit. Gives milliseconds. */
export const duration: Parser<number> = {
  expected: 'a duration such as 500ms, 5s, 10m, 12h or 30d',
  unit: 'duration',
  parse: (value) => (value === '0' ? 0 : withUnit(value, DURATION_UNITS)),
};

function withUnit(value: string, units: Readonly<Record<string, number>>): number {
  const [, count, unit] = /^(\d{1,15}) ?([A-Za-z]*)$/.exec(value) ?? [];
  const factor = units[unit ?? 'none'];
  const product = Number(count) * (factor ?? NaN);
  if (!Number.isSafeInteger(product)) throw new TypeError();
  return product;
}

/** One of several words. */
export function choice<const Word extends string>(...words: readonly Word[]): Parser<Word> {
  return {
    expected: words.join(' or '),
    unit: words.join(', '),
    parse(value) {
      const word = words.find((one) => one === value);
      if (word === undefined) throw new TypeError();
      return word;
    },
  };
}

/** A URL with one of the given schemes, such as `http`. It may hold a password, so it is never shown. */
export function url(...schemes: readonly string[]): Parser<string> {
  return {
    expected: `a URL beginning with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
    unit: 'URL',
    secret: true,
    parse(value) {
      if (!schemes.includes(new URL(value).protocol.slice(0, -1))) throw new TypeError();
      return value;
    },
  };
}

/** Where to listen: `host:port`, an IPv6 host in brackets; port 0 picks a free one. */
export const listenAddress: Parser<string> = {
  expected: 'host:port, such as 127.0.0.1:9081 or [::1]:9081',
  unit: 'host:port',
  parse(value) {
    const [, digits] = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(value) ?? [];
    if (!(Number(digits) <= 65_535)) throw new TypeError();
    return value;
  },
};

/** The same, or not set: an empty variable and an empty default give undefined. */
export function optional<T>(parser: Parser<T>): Parser<T | undefined> {
  return { ...parser, parse: (value) => (value === '' ? undefined : parser.parse(value)) };
}
