import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostOf } from './endpoint';

/** Name servers that do not answer must not hold up alerts; the name is then left to the connection. */
const LOOKUP_TIMEOUT_MS = 2_000;

/** Where an instance is. */
export interface Place {
  /** Without the path of the API. */
  readonly url: URL;
  /** IP address to connect to, where the name has several. */
  readonly address?: string;
}

/** Asks an instance for a path of its API; undefined if it does not answer with 200. */
export type Ask = (place: Place, path: string) => Promise<string | undefined>;

/** What is read of `GET /api/v2/status`. */
interface Status {
  readonly cluster?: {
    readonly name?: string;
    readonly peers?: readonly { readonly name?: string; readonly address?: string }[];
  };
}

/**
 * Finds all instances: each url, or each address that its name has. A single one is asked for its peers: behind a
 * Service an alert would reach any one of them, and the others would never know.
 */
export async function discover(urls: readonly URL[], ask: Ask): Promise<readonly Place[]> {
  const places = (await Promise.all(urls.map(placesOf))).flat();
  const [only] = places;
  if (places.length !== 1 || only === undefined) return places;
  return [...((await peersOf(only, ask)) ?? places)];
}

async function placesOf(url: URL): Promise<Place[]> {
  const host = hostOf(url);
  if (isIP(host)) return [{ url }];
  const found = await Promise.race([
    lookup(host, { all: true }).catch(() => []),
    sleep(LOOKUP_TIMEOUT_MS, [], { ref: false }),
  ]);
  // Two families are two ways to the same servers: the one with more addresses is taken.
  const byFamily = [4, 6].map((family) => found.filter((one) => one.family === family));
  const addresses = byFamily.reduce((best, one) => (one.length > best.length ? one : best), []);
  if (addresses.length <= 1) return [{ url }];
  return addresses.map(({ address }) => ({ url, address }));
}

/** Undefined if there are none, or one of them cannot be proven to be reached at its address. */
async function peersOf(only: Place, ask: Ask): Promise<readonly Place[] | undefined> {
  const peers = statusOf(await ask(only, '/api/v2/status'))?.cluster?.peers ?? [];
  if (peers.length <= 1) return undefined;
  const own = hostOf(only.url);
  const found = await Promise.all(
    peers.map(async ({ name, address }): Promise<Place | undefined> => {
      const ip = address?.replace(/:\d+$/, '').replace(/^\[|\]$/g, '') ?? '';
      if (!isIP(ip) || ip === own) return undefined;
      const place = { url: only.url, address: ip };
      const answered = statusOf(await ask(place, '/api/v2/status'))?.cluster?.name;
      return answered !== undefined && answered === name ? place : undefined;
    }),
  );
  const proven = found.filter((place) => place !== undefined);
  // Whoever is not reached at its address may still be reached by the name.
  return proven.length === peers.length ? proven : [only, ...proven];
}

function statusOf(text: string | undefined): Status | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
