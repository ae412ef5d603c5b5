/** JSON schemas of the answers, for the OpenAPI document. */

const TEXT = { type: 'string' };
const COUNT = { type: 'integer', minimum: 0 };
const TIME = { type: 'string', format: 'date-time' };
const TEXTS = { type: 'array', items: TEXT };
const HEX = { type: 'string', pattern: '^[0-9a-f]{64}$' };

/** An object with these members, and others beside them. */
function object(
  properties: Readonly<Record<string, object>>,
  required: readonly string[] = Object.keys(properties),
): object {
  return { type: 'object', properties, required };
}

const list = (items: object): object => ({ type: 'array', items });
const orNone = (schema: object): object => ({ anyOf: [schema, { type: 'null' }] });

const USER = object({ username: TEXT, uid: TEXT, groups: TEXTS });

/** Schemas that others refer to, by name. */
export const COMPONENTS: Readonly<Record<string, object>> = {
  Error: object({ error: TEXT, parameter: TEXT, expected: TEXT, example: TEXT }, ['error']),
  Event: object(
    {
      key: HEX,
      source: { enum: ['kubernetes', 'kube-ai-hub'] },
      level: TEXT,
      auditId: TEXT,
      stage: TEXT,
      requestUri: TEXT,
      verb: TEXT,
      user: USER,
      impersonatedUser: USER,
      sourceIps: TEXTS,
      userAgent: TEXT,
      objectRef: object({
        resource: TEXT,
        namespace: TEXT,
        name: TEXT,
        uid: TEXT,
        apiGroup: TEXT,
        apiVersion: TEXT,
        resourceVersion: TEXT,
        subresource: TEXT,
      }),
      responseStatus: object({
        code: { type: 'integer' },
        status: TEXT,
        reason: TEXT,
        message: TEXT,
      }),
      requestReceivedTimestamp: TIME,
      stageTimestamp: TIME,
      annotations: { type: 'object', additionalProperties: TEXT },
      workspace: TEXT,
      cluster: TEXT,
      devops: TEXT,
      receivedAt: TIME,
      rules: TEXTS,
      message: TEXT,
      strip: { enum: ['response', 'bodies'] },
      raw: TEXT,
    },
    ['key', 'level', 'auditId', 'stage', 'requestUri', 'verb', 'sourceIps', 'rules'],
  ),
};

/** One event. */
export const EVENT = { $ref: '#/components/schemas/Event' };

/** A page of events. */
export const EVENT_LIST = object({ events: list(EVENT), nextCursor: TEXT }, ['events']);

/** The events of an object. */
export const HISTORY = object(
  {
    history: list(
      object(
        {
          event: EVENT,
          version: { enum: ['response', 'request', 'patch'] },
          previousKey: HEX,
          changes: list(object({ path: TEXT, before: TEXT, after: TEXT })),
          omittedChangeCount: COUNT,
        },
        ['event', 'changes', 'omittedChangeCount'],
      ),
    ),
    nextCursor: TEXT,
  },
  ['history'],
);

export const STATISTICS = object({ events: COUNT, requests: COUNT });

export const HISTOGRAM = object({
  total: COUNT,
  buckets: list(object({ start: TIME, count: COUNT })),
});

export const FACETS = object({
  facets: list(object({ value: TEXT, count: COUNT })),
  values: COUNT,
});

export const ARCHIVE_STATS = object(
  {
    engine: TEXT,
    eventCount: COUNT,
    oldestEvent: TIME,
    newestEvent: TIME,
    newestReceivedAt: TIME,
    logBytes: COUNT,
    indexBytes: COUNT,
    memoryBytes: COUNT,
    segmentCount: COUNT,
    damagedRecordCount: COUNT,
    headCheckpoint: TEXT,
    resumeToken: TEXT,
    retentionSeconds: COUNT,
    retentionBytes: COUNT,
  },
  ['engine', 'eventCount'],
);

export const RULES = object({ rules: list(object({ name: TEXT }, ['name'])) });

const DELIVERY = object(
  {
    receiver: TEXT,
    id: HEX,
    state: { enum: ['pending', 'delivered', 'dead', 'discarded', 'silenced'] },
    attemptCount: COUNT,
    lastError: TEXT,
    deliveredAt: TIME,
    digested: { type: 'boolean' },
    digest: HEX,
    silencedBy: TEXTS,
    inhibitedBy: TEXTS,
    acceptedBy: TEXT,
  },
  ['receiver', 'id', 'attemptCount', 'lastError', 'digested', 'silencedBy', 'inhibitedBy'],
);

const SUMMARY = object(
  {
    count: COUNT,
    firstSeen: TIME,
    lastSeen: TIME,
    outcome: TEXT,
    auditIds: TEXTS,
    eventKeys: list(HEX),
  },
  ['count', 'outcome', 'auditIds', 'eventKeys'],
);

/** One alert. */
export const ALERT = object(
  {
    id: HEX,
    kind: { enum: ['first', 'repeat', 'stage', 'update', 'digest', 'heartbeat', 'probe'] },
    group: HEX,
    rule: TEXT,
    priority: TEXT,
    message: TEXT,
    raisedAt: TIME,
    summary: SUMMARY,
    deliveries: list(DELIVERY),
    event: EVENT,
  },
  ['deliveries'],
);

export const ALERTS = object({ alerts: list(ALERT), nextCursor: TEXT }, ['alerts']);

export const ALERT_DEAD_LETTERS = object(
  {
    count: COUNT,
    deadLetters: list(object({ deadAt: TIME, delivery: DELIVERY, alert: ALERT }, [])),
    nextCursor: TEXT,
  },
  ['count', 'deadLetters'],
);

export const REDRIVEN = object({ redriven: COUNT });

export const DELETED = object({ deleted: COUNT });

export const PROBE = object(
  {
    marker: TEXT,
    delivered: { type: 'boolean' },
    hops: list(
      object(
        {
          hop: { enum: ['received', 'decided', 'raised', 'accepted'] },
          ok: { type: 'boolean' },
          at: TIME,
          detail: TEXT,
          receiver: TEXT,
          instance: TEXT,
        },
        ['hop', 'ok', 'detail'],
      ),
    ),
    alert: ALERT,
  },
  ['marker', 'delivered', 'hops'],
);

export const RECEIVERS = object({
  receivers: list(
    object(
      {
        name: TEXT,
        type: TEXT,
        problem: TEXT,
        lastError: TEXT,
        pendingCount: COUNT,
        oldestPending: TIME,
        instances: list(
          object({
            address: TEXT,
            available: { type: 'boolean' },
            owedCount: COUNT,
            refusedCount: COUNT,
          }),
        ),
      },
      ['name', 'type', 'problem', 'lastError', 'pendingCount', 'instances'],
    ),
  ),
});

const LETTER = { hash: HEX, kind: TEXT, receivedAt: TEXT };

export const DEAD_LETTERS = object({
  count: COUNT,
  deadLetters: list(object({ ...LETTER, bytes: COUNT })),
});

export const DEAD_LETTER = object(
  { ...LETTER, reason: TEXT, peer: TEXT, dataBytes: COUNT },
  Object.keys(LETTER),
);

export const SENDER_FILES = object({
  files: list(object({ path: TEXT, purpose: TEXT, text: TEXT })),
});

/** What KubeSphere answers, by the operation asked for. */
export const KAPIS = {
  anyOf: [
    object({ query: object({ total: COUNT, records: orNone(list({ type: 'object' })) }) }),
    object({ statistics: object({ resources: COUNT, events: COUNT }) }),
    object({
      histogram: object({
        total: COUNT,
        buckets: list(object({ time: { type: 'integer' }, count: COUNT })),
      }),
    }),
  ],
};
