import { ApiError } from './api-error';

/** Places for questions that are being answered. */
export interface QueryPlaces {
  /**
   * Takes a place, and gives the function that gives it back.
   *
   * @throws ApiError 429 if this client has all it may have, 503 if there is none left; both say when to ask again
   */
  readonly take: (client: string) => () => void;
}

/** A part of the places that one client may have: the console asks three questions at once, two of them may be open twice. */
const CLIENT_SHARE = 4;

/** So many places in all, a quarter of them for one client. */
export function queryPlaces(max: number, setting: string): QueryPlaces {
  const perClient = Math.max(1, Math.ceil(max / CLIENT_SHARE));
  const taken = new Map<string, number>();
  let total = 0;
  return {
    take(client) {
      const own = taken.get(client) ?? 0;
      if (own >= perClient) {
        throw new ApiError(
          429,
          `expected at most ${perClient} questions of one client at once (a quarter of ${setting}): ask again when one is answered`,
        );
      }
      if (total >= max) {
        throw new ApiError(
          503,
          `${max} questions are being answered, which is all that ${setting} allows: ask again in a moment`,
        );
      }
      taken.set(client, own + 1);
      total += 1;
      let isGiven = false;
      return () => {
        if (isGiven) return;
        isGiven = true;
        total -= 1;
        const left = (taken.get(client) ?? 1) - 1;
        if (left === 0) taken.delete(client);
        else taken.set(client, left);
      };
    },
  };
}
