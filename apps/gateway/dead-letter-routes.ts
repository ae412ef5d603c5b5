import type { DeadLetter } from '@auditing/proto/spool';
import { textFromMicros } from '@auditing/audit-event/timestamp';
import { ApiError } from './api-error';
import { hexParameter, numberParameter, textParameter } from './api-parameters';
import { OCTETS, type ApiRequest, type ApiRoute } from './api-route';
import { DEAD_LETTER, DEAD_LETTERS } from './api-schemas';
import type { DeadLetterEntry, DeadLetters } from './dead-letters';
import { OWN_API } from './own-api';

const LIMIT = numberParameter(
  { name: 'limit', description: 'Dead letters at most.' },
  { fallback: 100, min: 1, max: 1_000 },
);
const AFTER = textParameter({
  name: 'after',
  description: '`hash` of the last one of an earlier answer: goes on from there.',
});
const HASH = hexParameter({ name: 'hash', description: 'Hash of a dead letter.' }, 64);

/** What this gateway could not take as it came. */
export function deadLetterRoutes(
  letters: Pick<DeadLetters, 'list' | 'get' | 'count'>,
): readonly ApiRoute[] {
  return [
    {
      path: `${OWN_API}/dead-letters`,
      need: 'all events',
      summary: 'What this gateway could not take as it came, newest first.',
      parameters: [LIMIT, AFTER],
      answerSchema: DEAD_LETTERS,
      answer: async ({ parameters }) => {
        const listed = letters.list(LIMIT.read(parameters), AFTER.read(parameters) || undefined);
        const body = { count: letters.count, deadLetters: listed.map(entryJson) };
        return Promise.resolve({ body });
      },
    },
    {
      path: `${OWN_API}/dead-letters/:hash`,
      need: 'all events',
      summary: 'Why one could not be taken.',
      parameters: [HASH],
      answerSchema: DEAD_LETTER,
      answer: async (request) => ({ body: letterJson(await letterOf(letters, request)) }),
    },
    {
      path: `${OWN_API}/dead-letters/:hash/raw`,
      need: 'all events',
      summary: 'The bytes that could not be taken.',
      parameters: [HASH],
      type: OCTETS,
      answer: async (request) => ({ body: (await letterOf(letters, request)).data }),
    },
  ];
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
