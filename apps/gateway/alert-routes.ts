import {
  AlertKind,
  alertKindToJSON,
  DeliveryState,
  deliveryStateToJSON,
  ListRequest,
} from '@auditing/proto/alert';
import { ALERT_DEAD_LETTER_ROUTES } from './alert-dead-letter-routes';
import { alertJson, receiverJson } from './alert-json';
import { badParameter } from './api-error';
import {
  choiceParameter,
  hexParameter,
  numberParameter,
  textParameter,
  timeParameter,
  type ReadParameter,
} from './api-parameters';
import type { ApiRequest, ApiRoute } from './api-route';
import { ALERT, ALERTS, RECEIVERS } from './api-schemas';
import { word } from './event-json';
import { OWN_API } from './own-api';

const ID_DIGITS = 64;

const RULE = textParameter({
  name: 'rule',
  description: 'Only alerts of this rule, `<Rule resource>.<entry>`.',
});
const USER = textParameter({
  name: 'user',
  description: 'Only alerts of events by this user, or that impersonate it.',
});
const NAMESPACE = textParameter({
  name: 'namespace',
  description: 'Only alerts of objects in this namespace.',
});
const RESOURCE = textParameter({
  name: 'resource',
  description: 'Only alerts of objects of this resource, such as `pods`.',
});
const NAME = textParameter({
  name: 'name',
  description: 'Only alerts of objects with this name.',
});
const RECEIVER = textParameter({
  name: 'receiver',
  description: 'Only alerts with a delivery to this receiver (in `state`, if that is given).',
});
const ANY = 'any';
const STATE = choiceParameter(
  { name: 'state', description: 'Only alerts of which some delivery is in this state.' },
  new Map([
    [ANY, DeliveryState.UNSPECIFIED],
    ...[
      DeliveryState.PENDING,
      DeliveryState.DELIVERED,
      DeliveryState.DEAD,
      DeliveryState.DISCARDED,
      DeliveryState.SILENCED,
    ].map((state) => [word(deliveryStateToJSON(state), 'DELIVERY_STATE_') ?? '', state] as const),
  ]),
  ANY,
);
const KIND = choiceParameter(
  { name: 'kind', description: 'Only alerts of this kind; `any`: all but heartbeats.' },
  new Map([
    [ANY, AlertKind.UNSPECIFIED],
    ...[
      AlertKind.FIRST,
      AlertKind.REPEAT,
      AlertKind.STAGE,
      AlertKind.UPDATE,
      AlertKind.DIGEST,
      AlertKind.HEARTBEAT,
      AlertKind.PROBE,
    ].map((kind) => [word(alertKindToJSON(kind), 'ALERT_KIND_') ?? '', kind] as const),
  ]),
  ANY,
);
const GROUP = groupParameter();
const START = timeParameter({
  name: 'start',
  description: 'Alerts raised at or after this: seconds since 1970, or RFC 3339.',
});
const END = timeParameter({
  name: 'end',
  description: 'Alerts raised before this: seconds since 1970, or RFC 3339.',
});
const LIMIT = numberParameter(
  { name: 'limit', description: 'How many at most.' },
  { fallback: 100, min: 1, max: 1_000 },
);
const CURSOR = textParameter({
  name: 'cursor',
  description: '`nextCursor` of an earlier answer to the same question: goes on from there.',
});
const ID = hexParameter({ name: 'id', description: 'Id of an alert.' }, ID_DIGITS);

/** Questions about alerts and their receivers. */
export const ALERT_ROUTES: readonly ApiRoute[] = [
  {
    path: `${OWN_API}/alerts`,
    need: 'events',
    summary:
      'Alerts and how they fare, newest first. Who sees some events only sees the alerts of those.',
    parameters: [
      ...[RULE, USER, NAMESPACE, RESOURCE, NAME, STATE, RECEIVER, KIND, GROUP],
      ...[START, END, LIMIT, CURSOR],
    ],
    answerSchema: ALERTS,
    answer: list,
  },
  // Before the alerts by id, whose pattern their path fits too.
  ...ALERT_DEAD_LETTER_ROUTES,
  {
    path: `${OWN_API}/alerts/:id`,
    need: 'events',
    summary: 'One alert and how it fares.',
    parameters: [ID],
    answerSchema: ALERT,
    answer: one,
  },
  {
    path: `${OWN_API}/receivers`,
    need: 'all events',
    summary: 'The receivers of alerts and how they fare.',
    parameters: [],
    answerSchema: RECEIVERS,
    async answer({ services, signal }) {
      const { receivers } = await services.alert.listReceivers({}, signal);
      return { body: { receivers: receivers.map(receiverJson) } };
    },
  },
];

async function list({ parameters, services, signal }: ApiRequest) {
  const kind = KIND.read(parameters);
  const request = ListRequest.create({
    rule: RULE.read(parameters),
    limit: LIMIT.read(parameters),
    start: START.read(parameters),
    end: END.read(parameters),
    user: USER.read(parameters),
    namespace: NAMESPACE.read(parameters),
    resource: RESOURCE.read(parameters),
    name: NAME.read(parameters),
    state: STATE.read(parameters),
    receiver: RECEIVER.read(parameters),
    kinds: kind === AlertKind.UNSPECIFIED ? [] : [kind],
    group: GROUP.read(parameters),
    cursor: CURSOR.read(parameters),
  });
  const { alerts, nextCursor } = await services.alert.list(request, signal);
  return { body: { alerts: alerts.map(alertJson), nextCursor: nextCursor || undefined } };
}

async function one({ path, services, signal }: ApiRequest) {
  const id = readId('id', path.id ?? '');
  return { body: alertJson(await services.alert.get({ id }, signal)) };
}

function groupParameter(): ReadParameter<Buffer> {
  const text = textParameter({
    name: 'group',
    description:
      'Only alerts of the group of the alert with this id, the first one, itself included.',
  });
  return {
    ...text,
    read(parameters) {
      const id = text.read(parameters);
      return id === '' ? Buffer.alloc(0) : readId(text.name, id);
    },
  };
}

function readId(name: string, text: string): Buffer {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  throw badParameter(name, text, {
    expected: `${ID_DIGITS} hexadecimal digits: the id of an alert`,
    example: '0'.repeat(ID_DIGITS),
  });
}
