import { Proof, type StatsResponse, type VerifyResponse } from '@auditing/proto/archive';
import { textParameter, type ApiParameter } from './api-parameters';
import { EVENT_STREAM, type ApiRequest, type ApiRoute } from './api-route';
import { ARCHIVE_STATS } from './api-schemas';
import { timeText } from './event-json';
import { OWN_API } from './own-api';
import { serverSentEvents } from './server-sent-events';

const CHECKPOINT: ApiParameter = {
  name: 'checkpoint',
  description:
    'Checkpoint that was published outside of the archive; may be given several times. Each must be part of the chain.',
  schema: { type: 'array', items: { type: 'string' } },
};
const PUBLIC_KEY = textParameter({
  name: 'publicKey',
  description: 'Public key (PEM, Ed25519) by which each checkpoint must be signed.',
});

/** What a check proves, in JSON. */
const PROOFS: ReadonlyMap<Proof, string> = new Map([
  [Proof.CONSISTENT, 'consistent'],
  [Proof.CHECKPOINT, 'checkpoint'],
]);

/** Questions about the archive itself. */
export const ARCHIVE_ROUTES: readonly ApiRoute[] = [
  {
    path: `${OWN_API}/archive`,
    need: 'all events',
    summary: 'What the archive holds and takes.',
    parameters: [],
    answerSchema: ARCHIVE_STATS,
    answer: async ({ services, signal }) => ({
      body: statsJson(await services.archive.stats({}, signal)),
    }),
  },
  {
    path: `${OWN_API}/archive/verify`,
    need: 'all events',
    summary:
      'Checks every checksum and the chain of hashes; server-sent events `progress`, then one `result`.',
    parameters: [CHECKPOINT, PUBLIC_KEY],
    isLong: true,
    type: EVENT_STREAM,
    answer: verify,
  },
];

function verify({ parameters, services, signal }: ApiRequest) {
  const request = {
    checkpoints: parameters.getAll('checkpoint'),
    publicKey: PUBLIC_KEY.read(parameters),
  };
  const body = serverSentEvents(services.archive.verify(request, signal), verifyEvent, signal);
  return Promise.resolve({ body });
}

function verifyEvent({ progress, result }: VerifyResponse): { event: string; data: object } {
  if (result === undefined) return { event: 'progress', data: numbers(progress ?? {}) };
  const { proof, problems, removedHash, ...rest } = result;
  const data = {
    proof: PROOFS.get(proof) ?? 'nothing',
    ...numbers(rest),
    removedHash: removedHash.toString('hex'),
    problems: problems.map(numbers),
  };
  return { event: 'result', data };
}

function statsJson(stats: StatsResponse): object {
  const { oldestEvent, newestEvent, newestReceivedAt, ...rest } = stats;
  return {
    ...numbers(rest),
    oldestEvent: timeText(oldestEvent),
    newestEvent: timeText(newestEvent),
    newestReceivedAt: timeText(newestReceivedAt),
  };
}

/** Counts and positions fit into a number; JSON knows no others. */
function numbers(message: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(message).map(([key, value]) => [
      key,
      typeof value === 'bigint' ? Number(value) : (value as unknown),
    ]),
  );
}
