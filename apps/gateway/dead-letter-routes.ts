import type { DeadLetter } from '@auditing/proto/spool';
import { textFromMicros } from '@auditing/audit-event/timestamp';
import { ApiError } from './api-error';
import type { ApiRequest, ApiRoutes } from './api-handler';
import type { DeadLetterEntry, DeadLetters } from './dead-letters';
import { readNumber, refuseUnknown } from './own-query';
import { OWN_API } from './own-routes';

const LIMIT = { fallback: 100, min: 1, max: 1_000 };

/** What this gateway could not take as it came. */
export function deadLetterRoutes(letters: Pick<DeadLetters, 'list' | 'get' | 'count'>): ApiRoutes {
  return {
    [`${OWN_API}/dead-letters`]: ({ parameters }) => {
      refuseUnknown(parameters, ['limit', 'after']);
      const limit = readNumber(parameters, 'limit', LIMIT);
      const listed = letters.list(limit, parameters.get('after') ?? undefined);
      return Promise.resolve({
        body: { count: letters.count, deadLetters: listed.map(entryJson) },
      });
    },
    [`${OWN_API}/dead-letters/:hash`]: async (request) => ({
      body: letterJson(await letterOf(letters, request)),
    }),
    [`${OWN_API}/dead-letters/:hash/raw`]: async (request) => ({
      body: (await letterOf(letters, request)).data,
      type: 'application/octet-stream',
    }),
  };
}

async function letterOf(
  letters: Pick<DeadLetters, 'get'>,
  { path }: ApiRequest,
): Promise<DeadLetter> {
  const letter = await letters.get(path.hash ?? '');
  if (letter) return letter;
  throw new ApiError(404, 'no such dead letter: there never was, or it made room for a newer one');
}

function entryJson({ hash, kind, receivedAtUs, bytes }: DeadLetterEntry): object {
  return { hash, kind, receivedAt: textFromMicros(receivedAtUs), bytes };
}

function letterJson(letter: DeadLetter): object {
  return {
    hash: letter.hash.toString('hex'),
    kind: letter.kind,
    receivedAt: textFromMicros(letter.receivedAtUs),
    reason: letter.reason,
    peer: letter.peer,
    dataBytes: Number(letter.dataBytes),
    error: letter.error,
  };
}
