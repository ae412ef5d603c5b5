import { BodyError } from '@auditing/audit-event/body-error';
import type { DeadLetter } from '@auditing/proto/spool';
import { textFromMicros } from '@auditing/audit-event/timestamp';
import { ApiError } from './api-error';
import { hexParameter, numberParameter, textParameter } from './api-parameters';
import { OCTETS, type ApiRequest, type ApiRoute } from './api-route';
import { DEAD_LETTER, DEAD_LETTERS, DELETED, REDRIVEN } from './api-schemas';
import type { DeadLetterEntry, DeadLetters } from './dead-letters';
import { OWN_API } from './own-api';
import { redrive } from './redrive';
import { Refusal } from './refusal';
import type { Intake } from './take-body';

const LIMIT = numberParameter(
  { name: 'limit', description: 'Dead letters at most.' },
  { fallback: 100, min: 1, max: 1_000 },
);
const AFTER = textParameter({
  name: 'after',
  description: '`hash` of the last one of an earlier answer: goes on from there.',
});
const HASH = hexParameter({ name: 'hash', description: 'Hash of a dead letter.' }, 64);

/** What this gateway could not take as it came, and what can be done about it. */
export function deadLetterRoutes(intake: Intake): readonly ApiRoute[] {
  return [...questions(intake.deadLetters), ...actions(intake)];
}

function questions(letters: DeadLetters): readonly ApiRoute[] {
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

function actions(intake: Intake): readonly ApiRoute[] {
  return [
    {
      method: 'POST',
      path: `${OWN_API}/dead-letters/:hash/redrive`,
      need: 'dead letters',
      summary: 'Takes one as if it had just come. It is removed once its events are in the spool.',
      parameters: [HASH],
      answerSchema: REDRIVEN,
      answer: async ({ path }) => ({ body: { redriven: await redriveOne(intake, path.hash) } }),
    },
    {
      method: 'DELETE',
      path: `${OWN_API}/dead-letters/:hash`,
      need: 'dead letters',
      summary: 'Removes one for good.',
      parameters: [HASH],
      answerSchema: DELETED,
      async answer({ path }) {
        if (await intake.deadLetters.remove(path.hash?.toLowerCase() ?? ''))
          return { body: { deleted: 1 } };
        throw noSuchLetter();
      },
    },
  ];
}

async function redriveOne(intake: Intake, hash = ''): Promise<number> {
  const arrival = { receivedAtUs: Date.now() * 1_000, peer: '', traceParent: '' };
  try {
    switch (await redrive(intake, hash.toLowerCase(), arrival)) {
      case 'spooled':
        return 1;
      case 'unknown':
        throw noSuchLetter();
      case 'cut':
        throw new ApiError(
          400,
          'only the beginning of these bytes was kept (AUDITING_DEAD_LETTERS_MAX_BYTES): they can never be taken',
        );
    }
  } catch (error) {
    if (error instanceof BodyError) throw new ApiError(400, `${error.at}: ${error.message}`);
    if (error instanceof Refusal) throw new ApiError(error.status, error.message);
    throw error;
  }
}

async function letterOf(letters: DeadLetters, { path }: ApiRequest): Promise<DeadLetter> {
  const letter = await letters.get(path.hash ?? '');
  if (letter) return letter;
  throw noSuchLetter();
}

function noSuchLetter(): ApiError {
  return new ApiError(404, 'no such dead letter: there never was, or it made room for a newer one');
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
