import type { Endpoint } from './endpoint';

/** A silence of Alertmanager. */
export interface Silence {
  readonly id: string;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly matchers: readonly Matcher[];
}

/** What a label must be. */
interface Matcher {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  /** False: must not be. */
  readonly isEqual: boolean;
}

interface RawSilence {
  readonly id?: string;
  readonly startsAt?: string;
  readonly endsAt?: string;
  readonly status?: { readonly state?: string };
  readonly matchers?: readonly Partial<Matcher>[];
}

/** Asks an Alertmanager for the silences in force; undefined if it does not answer, or with something else. */
export async function readSilences(
  endpoint: Endpoint,
  basePath: string,
  signal: AbortSignal,
): Promise<readonly Silence[] | undefined> {
  const text = await endpoint.get(`${basePath}/api/v2/silences`, signal);
  if (text === undefined) return undefined;
  try {
    const silences: unknown = JSON.parse(text);
    if (!Array.isArray(silences)) return undefined;
    return (silences as readonly RawSilence[])
      .filter(({ status }) => status?.state === 'active')
      .map(silenceOf);
  } catch {
    return undefined;
  }
}

function silenceOf({ id = '', startsAt = '', endsAt = '', matchers = [] }: RawSilence): Silence {
  return {
    id,
    startsAtMs: Date.parse(startsAt),
    endsAtMs: Date.parse(endsAt),
    matchers: matchers.map(({ name = '', value = '', isRegex = false, isEqual = true }) => ({
      ...{ name, value, isRegex, isEqual },
    })),
  };
}
