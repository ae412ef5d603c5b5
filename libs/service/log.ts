import { destination, pino, type Logger } from 'pino';

/** Levels that AUDITING_LOG_LEVEL may have, most detail first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Stands where a secret was. */
const CENSOR = '[not shown]';

/** Fields that must never be logged, at the top of a line or one level down. */
const SECRET_FIELDS = ['authorization', 'password', 'token', 'secret', 'cookie'];

const STDERR = 2;

/**
 * The log of one app: JSON lines on stderr. stdout is kept for the ready line, so that a script can wait for it.
 *
 * A line is a constant message and fields. What changes state is logged; what happens per event is counted.
 */
export function createLog(service: string, level: string): Logger {
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
    destination({ dest: STDERR, sync: true }),
  );
}
