import { AuditEvent, Source, Strip } from '@auditing/proto/event';
import fc from 'fast-check';
import { EVENT_FIELDS } from './event-fields';
import { typedEvent } from './typed-event';

const EXTRAS = { key: Buffer.alloc(32, 1), listSource: Source.KUBERNETES };
const typed = (value: unknown) => typedEvent(Buffer.from(JSON.stringify(value)), EXTRAS);

test('an event has all its fields, typed', () => {
  const event = {
    Level: 'Metadata',
    AuditID: 'id',
    Stage: 'ResponseComplete',
    RequestURI: '/a',
    Verb: 'Create',
    User: { username: 'u', uid: '1', groups: ['g'] },
    ImpersonatedUser: null,
    SourceIPs: ['10.0.0.1'],
    UserAgent: 'ua',
    ObjectRef: {
      Resource: 'pods',
      Namespace: 'n',
      Name: 'p',
      UID: '',
      APIGroup: '',
      APIVersion: 'v1',
      ResourceVersion: 'Namespace',
      Subresource: 'exec',
    },
    ResponseStatus: { metadata: {}, code: 201, reason: 'r' },
    Annotations: { __proto__x: 'a' },
    Cluster: 'host',
    Workspace: '',
    RequestReceivedTimestamp: '2024-05-01T10:00:00.123456Z',
    StageTimestamp: '0001-01-01T00:00:00Z',
  };
  const bytes = Buffer.from(JSON.stringify(event));
  const seen = typedEvent(bytes, {
    ...EXTRAS,
    receivedAtUs: 5,
    workspace: 'ws',
    rules: ['a.b'],
    message: 'm',
    strip: Strip.RESPONSE,
    includeRaw: true,
  });
  expect(seen).toEqual({
    key: EXTRAS.key,
    source: Source.KUBE_AI_HUB,
    level: 'Metadata',
    auditId: 'id',
    stage: 'ResponseComplete',
    requestUri: '/a',
    verb: 'create',
    user: { username: 'u', uid: '1', groups: ['g'] },
    impersonatedUser: undefined,
    sourceIps: ['10.0.0.1'],
    userAgent: 'ua',
    objectRef: {
      resource: 'pods',
      namespace: 'n',
      name: 'p',
      uid: '',
      apiGroup: '',
      apiVersion: 'v1',
      resourceVersion: 'Namespace',
      subresource: 'exec',
    },
    responseStatus: { code: 201, status: '', reason: 'r', message: '' },
    requestReceivedTimestamp: { seconds: 1714557600n, nanos: 123456000 },
    stageTimestamp: undefined,
    annotations: { __proto__x: 'a' },
    workspace: 'ws',
    cluster: 'host',
    devops: '',
    receivedAt: { seconds: 0n, nanos: 5000 },
    rules: ['a.b'],
    message: 'm',
    strip: Strip.RESPONSE,
    raw: bytes,
    resumeToken: '',
  });
});

test('values of odd types appear as text', () => {
  const seen = typed({
    level: 5,
    auditID: ['x'],
    verb: true,
    user: { username: 1, groups: ['a', 2, null] },
    sourceIPs: '1.2.3.4',
    responseStatus: { code: '404', status: {} },
    annotations: { n: 1 },
    userAgent: '\ud800x',
    requestReceivedTimestamp: 7,
  });
  expect(seen).toMatchObject({
    level: '5',
    auditId: '["x"]',
    verb: 'true',
    user: { username: '1', groups: ['a', '2', ''] },
    sourceIps: ['1.2.3.4'],
    responseStatus: { code: 404, status: '{}' },
    annotations: { n: '1' },
    userAgent: '\ufffdx',
    requestReceivedTimestamp: undefined,
  });
  expect(typed({ user: 'x', objectRef: [], responseStatus: { code: 1.5 } })).toMatchObject({
    user: undefined,
    objectRef: undefined,
    responseStatus: { code: 0 },
  });
});

test('a key named __proto__ is an annotation like any other', () => {
  const seen = typedEvent(Buffer.from('{"annotations":{"__proto__":"x"}}'), EXTRAS);
  expect(Object.keys(seen.annotations)).toEqual(['__proto__']);
});

test('bytes that are no event give the extras alone', () => {
  expect(typedEvent(Buffer.from('nonsense'), { ...EXTRAS, message: 'm' })).toMatchObject({
    key: EXTRAS.key,
    level: '',
    message: 'm',
  });
});

test('no event makes it throw, and what it gives can be encoded', () => {
  const names = EVENT_FIELDS.flatMap((field) => field.split('.').slice(0, 1));
  const keys = fc.constantFrom(
    ...names,
    ...names.map((name) => name.charAt(0).toLowerCase() + name.slice(1)),
  );
  const nested = fc.dictionary(
    fc.constantFrom('username', 'groups', 'code', 'Name', 'resource', '__proto__'),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.dictionary(keys, fc.oneof(fc.jsonValue(), nested)), (event) => {
      AuditEvent.encode(typed(event)).finish();
    }),
    { numRuns: 1000 },
  );
  const deep = Buffer.from(`{"level":${'['.repeat(9000)}${']'.repeat(9000)}}`);
  expect(typedEvent(deep, EXTRAS).level).toBe('');
});
