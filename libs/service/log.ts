import { destination, pino, type DestinationStream, type Logger } from 'pino';
import { logText } from './log-text';

/** Levels that AUDITING_LOG_LEVEL may have, most detail first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Forms that AUDITING_LOG_FORMAT may have. */
export const LOG_FORMATS = ['auto', 'json', 'text'] as const;

/** What a log is like. */
export interface LogOptions {
  /** Least severe lines that are written. */
  readonly level: (typeof LOG_LEVELS)[number];
  /** `auto`: text on a terminal, else JSON. Default `auto`. */
  readonly format?: (typeof LOG_FORMATS)[number];
}

/** Stands where a secret was. */
const CENSOR = '[not shown]';

/** Fields that must never be logged, at the top of a line or one level down. */
const SECRET_FIELDS = ['authorization', 'password', 'token', 'secret', 'cookie'];

const STDERR = 2;

/**
 * The log of one app, on stderr: JSON lines, or plain text for a person at a terminal. stdout is kept for the ready line, so that a script can wait for it.
 *
 * A line is a constant message and fields. What changes state is logged; what happens per event is counted.
 */
export function createLog(service: string, { level, format = 'auto' }: LogOptions): Logger {
  const isText = format === 'text' || (format === 'auto' && process.stderr.isTTY);
  return pino(
    {
      level,
      base: { service },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]),
        censor: CENSOR,
      },
    },
    // Synchronous: the last lines before the end of the process are the ones that matter most.
    isText ? textStream() : lines(),
  );
}

function lines(): DestinationStream {
  return destination({ dest: STDERR, sync: true });
}

function textStream(): DestinationStream {
  const { stderr } = process;
  const colours = stderr.isTTY && stderr.hasColors();
  const to = lines();
  return { write: (line) => to.write(logText(line, colours)) };
}
