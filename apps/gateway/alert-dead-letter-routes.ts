import { DeadLettersRequest, type DeadLetterSelection } from '@auditing/proto/alert';
import { deadDeliveryJson } from './alert-json';
import { badParameter } from './api-error';
import { numberParameter, textParameter, type ReadParameter } from './api-parameters';
import type { ApiRequest, ApiRoute } from './api-route';
import { ALERT_DEAD_LETTERS, DELETED, REDRIVEN } from './api-schemas';
import { OWN_API } from './own-api';

const PATH = `${OWN_API}/alerts/dead-letters`;

const RECEIVER = textParameter({ name: 'receiver', description: 'Only those to this receiver.' });
const RULE = textParameter({ name: 'rule', description: 'Only those of alerts of this rule.' });
const LIMIT = numberParameter(
  { name: 'limit', description: 'How many at most.' },
  { fallback: 100, min: 1, max: 1_000 },
);
const CURSOR = textParameter({
  name: 'cursor',
  description: '`nextCursor` of an earlier answer to the same question: goes on from there.',
});
const ALL_OF = textParameter({
  name: 'receiver',
  description: 'All of this receiver, besides those named by `id`.',
});
const IDS = deliveryIds();

/** Deliveries of alerts that were given up. Ask for one of the selections: nothing named is 400. */
export const ALERT_DEAD_LETTER_ROUTES: readonly ApiRoute[] = [
  {
    path: PATH,
    need: 'all events',
    summary: 'Deliveries of alerts that were given up, the newest alert first.',
    parameters: [RECEIVER, RULE, LIMIT, CURSOR],
    answerSchema: ALERT_DEAD_LETTERS,
    answer: list,
  },
  {
    method: 'DELETE',
    path: PATH,
    need: 'dead letters',
    summary: 'Takes deliveries off the list of those given up. The alerts stay in the history.',
    parameters: [IDS, ALL_OF],
    answerSchema: DELETED,
    async answer({ parameters, services, signal }) {
      const selection = selectionOf(parameters);
      const { deletedCount } = await services.alert.deleteDeadLetters({ selection }, signal);
      return { body: { deleted: deletedCount } };
    },
  },
  {
    method: 'POST',
    path: `${PATH}/redrive`,
    need: 'dead letters',
    summary: 'Sends deliveries that were given up anew, under the id they had.',
    parameters: [IDS, ALL_OF],
    answerSchema: REDRIVEN,
    async answer({ parameters, services, signal }) {
      const selection = selectionOf(parameters);
      const { redrivenCount } = await services.alert.redriveDeadLetters({ selection }, signal);
      return { body: { redriven: redrivenCount } };
    },
  },
];

async function list({ parameters, services, signal }: ApiRequest) {
  const request = DeadLettersRequest.create({
    receiver: RECEIVER.read(parameters),
    rule: RULE.read(parameters),
    limit: LIMIT.read(parameters),
    cursor: CURSOR.read(parameters),
  });
  const answer = await services.alert.deadLetters(request, signal);
  const body = {
    count: answer.totalCount,
    deadLetters: answer.deadLetters.map(deadDeliveryJson),
    nextCursor: answer.nextCursor || undefined,
  };
  return { body };
}

function selectionOf(parameters: URLSearchParams): DeadLetterSelection {
  return { ids: IDS.read(parameters), receiver: ALL_OF.read(parameters) };
}

function deliveryIds(): ReadParameter<string[]> {
  const name = 'id';
  const digits = { type: 'string', pattern: '^[0-9a-f]{64}$' };
  return {
    name,
    description: '`delivery.id` of one that was given up; may be given several times.',
    schema: { type: 'array', items: digits },
    read(parameters) {
      const ids = parameters.getAll(name);
      const bad = ids.find((id) => !/^[0-9a-f]{64}$/.test(id));
      if (bad === undefined) return ids;
      throw badParameter(name, bad, {
        expected: '64 hexadecimal digits: `delivery.id` of a dead letter',
        example: '0'.repeat(64),
      });
    },
  };
}
