/** A line of the log, as pino writes it. */
type LogLine = Readonly<Record<string, unknown>>;

/** Fields that have a place of their own in the text. */
const PLACED = new Set(['level', 'time', 'service', 'app', 'msg', 'err']);

/** SGR codes of a level: what needs somebody is yellow, what is broken red. */
const COLOURS: Readonly<Record<string, number>> = { warn: 33, error: 31, fatal: 31 };

const CLOCK_AT = 'YYYY-MM-DDT'.length;
const CLOCK_LENGTH = 'HH:MM:SS'.length;

/**
 * A line of the log for a person: the time of day (UTC), the level if it is not `info`, the app, the message, then its
 * fields; lists of objects and errors on lines of their own. A line that is not JSON stays as it is.
 *
 * @param json - one line, as written for machines
 * @param colours - whether the text goes to a terminal that shows colours
 * @returns the text, with a line break at its end
 */
export function logText(json: string, colours: boolean): string {
  let line: LogLine;
  try {
    line = JSON.parse(json) as LogLine;
  } catch {
    return json;
  }
  const level = textOf(line.level);
  const clock = textOf(line.time).slice(CLOCK_AT, CLOCK_AT + CLOCK_LENGTH);
  const sgr = COLOURS[level];
  const shown = colours && sgr !== undefined ? `\u001b[${sgr}m${level}\u001b[39m` : level;
  const head = [clock, level === 'info' ? '' : shown, textOf(line.app ?? line.service)];
  const fields = Object.entries(line).filter(([name]) => !PLACED.has(name));
  const inline = fields.filter(([, value]) => !isList(value));
  const words = [
    ...head.filter((word) => word !== ''),
    `${textOf(line.msg)}${inline.length > 0 ? ':' : ''}`,
    inline.map(([name, value]) => `${name}=${textOf(value)}`).join(' '),
  ];
  const below = [
    ...fields.flatMap(([, value]) => (isList(value) ? value.flatMap(itemLines) : [])),
    ...errorLines(line.err),
  ];
  return `${[words.join(' ').trimEnd(), ...below.map((text) => `    ${text}`)].join('\n')}\n`;
}

function isList(value: unknown): value is readonly object[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null);
}

/** The values of an item, in the order in which they read well; a text of several lines comes last, as it is. */
function itemLines(item: object): string[] {
  const words: string[] = [];
  const below: string[] = [];
  for (const [name, value] of Object.entries(item)) {
    const text = textOf(value);
    if (text.includes('\n')) below.push(...text.split('\n').map((line) => `  ${line}`));
    else if (text !== '') words.push(typeof value === 'number' ? `${name} ${text}` : text);
  }
  return [words.join(' '), ...below];
}

function errorLines(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return [];
  const { stack, message } = error as { stack?: unknown; message?: unknown };
  return textOf(stack ?? message).split('\n');
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : JSON.stringify(value);
}
