import type { Parser } from './setting-parsers';
import { nearest } from './nearest';
import { VARIABLES } from './variables';

/** Environment variables. */
export type Env = Readonly<Record<string, string | undefined>>;

/** One setting: an environment variable, and what is known of it. */
export interface Setting<T> {
  /** Whole name, such as `AUDITING_DATA_DIR`. */
  readonly variable: string;
  readonly parser: Parser<T>;
  /** Used if the variable is not set or empty, in the same notation. Without it the variable is required. */
  readonly fallback?: string;
  /** One sentence for operators, without the unit and the default. */
  readonly description: string;
}

/** Settings by the name of their value in the configuration; groups may nest. */
export type Settings<Config> = {
  readonly [Key in keyof Config]:
    Setting<Config[Key]> | (Config[Key] extends object ? Settings<Config[Key]> : never);
};

/** The configuration that settings give: `type Config = ConfigOf<typeof SETTINGS>`. */
export type ConfigOf<Tree> = {
  readonly [Key in keyof Tree]: Tree[Key] extends Setting<infer Value>
    ? Value
    : ConfigOf<Tree[Key]>;
};

/** Every variable of this system begins so. */
const PREFIX = 'AUDITING_';

/** Settings that cannot be used. The message names each bad variable and what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    super(`bad settings:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}

/**
 * Reads all settings. A bad value never becomes a default, and the value of a secret is never part of an error.
 *
 * @throws {ConfigError} naming every bad variable, not only the first.
 */
export function readSettings<Config>(settings: Settings<Config>, env: Env): Config {
  const problems: string[] = [];
  const config = readGroup(settings, env, problems);
  if (problems.length > 0) throw new ConfigError([...new Set(problems)]);
  return config as Config;
}

function readGroup(group: object, env: Env, problems: string[]): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  for (const [key, node] of Object.entries(group) as [string, object][]) {
    config[key] = isSetting(node) ? readOne(node, env, problems) : readGroup(node, env, problems);
  }
  return config;
}

function readOne(setting: Setting<unknown>, env: Env, problems: string[]): unknown {
  const { variable, parser, fallback } = setting;
  const text = env[variable]?.trim() || fallback;
  if (text === undefined) {
    problems.push(`${variable} is required: ${parser.expected}`);
    return undefined;
  }
  try {
    return parser.parse(text);
  } catch (error) {
    // Parsers throw only to say "no": what they expect is their own description.
    const why = error instanceof RangeError ? ` (${error.message})` : '';
    const got = parser.secret ? 'a value that is not shown' : JSON.stringify(text);
    problems.push(`${variable}: expected ${parser.expected}, got ${got}${why}`);
    return undefined;
  }
}

function isSetting(node: object): node is Setting<unknown> {
  return 'variable' in node && 'parser' in node;
}

/** All settings of nested groups, each variable once, in the order written. */
export function flatSettings(settings: object): readonly Setting<unknown>[] {
  const found = new Map<string, Setting<unknown>>();
  const walk = (group: object): void => {
    for (const node of Object.values(group) as object[]) {
      if (!isSetting(node)) walk(node);
      else if (!found.has(node.variable)) found.set(node.variable, node);
    }
  };
  walk(settings);
  return [...found.values()];
}

/**
 * Warnings about variables that look like settings and are none: a misspelt setting must not be taken for one that
 * is in force.
 */
export function unknownVariables(env: Env): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !VARIABLES.includes(name))
    .map((name) => {
      const meant = nearest(name, VARIABLES);
      return `${name} is not a setting${meant ? `: did you mean ${meant}?` : ' and is ignored'}`;
    });
}

/** The table of settings for a README; a test there compares it with this. */
export function settingsTable(settings: object): string {
  const rows = flatSettings(settings).map(({ variable, parser, fallback, description }) => {
    const byDefault =
      fallback === undefined ? 'required' : fallback === '' ? '' : `\`${fallback}\``;
    return `| \`${variable}\` | ${byDefault} | ${parser.unit} | ${description} |`;
  });
  return ['| variable | default | unit | meaning |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}
