const DAY_US = 86_400_000_000;

/** The names of the indices of a prefix. */
export interface IndexNames {
  /** Of the index for events of this time: one a day, in UTC. */
  readonly ofTime: (timeUs: number, receivedAtUs: number) => string;
  /** All of them, as OpenSearch understands it. */
  readonly pattern: string;
  /** Microseconds since 1970 at which the day of an index begins; undefined for a name that is none of ours. */
  readonly dayOf: (index: string) => number | undefined;
}

/** `<prefix>-YYYY.MM.DD`, as KubeSphere's console looks for them. */
export function indexNames(prefix: string): IndexNames {
  return {
    ofTime: (timeUs, receivedAtUs) => `${prefix}-${dayText(clamped(timeUs, receivedAtUs))}`,
    pattern: `${prefix}-*`,
    dayOf(index) {
      const [, year, month, day] =
        (index.startsWith(`${prefix}-`) &&
          /^(\d{4})\.(\d\d)\.(\d\d)$/.exec(index.slice(prefix.length + 1))) ||
        [];
      return year === undefined
        ? undefined
        : Date.UTC(+year, +(month ?? 0) - 1, +(day ?? 0)) * 1000;
    },
  };
}

/**
 * A day around the time of receipt at most: else a client with a wrong clock could make an index for every day there is.
 */
function clamped(timeUs: number, receivedAtUs: number): number {
  return Math.min(Math.max(timeUs, receivedAtUs - DAY_US), receivedAtUs + DAY_US);
}

function dayText(timeUs: number): string {
  return new Date(Math.floor(timeUs / 1000)).toISOString().slice(0, 10).replaceAll('-', '.');
}

/** Microseconds since 1970 from which on every event of the index of a day was received longer ago than `ageUs`. */
export function expiresAtUs(dayUs: number, ageUs: number): number {
  // The last of a day may have been received a day after its end.
  return dayUs + 2 * DAY_US + ageUs;
}
