import { Source } from '@auditing/proto/event';
import { eventKey } from './event-key';
import { kubesphereDocument } from './kubesphere-document';
import { typedEvent } from './typed-event';

const documentOf = (text: string | Buffer, extras = {}) => {
  const bytes = Buffer.from(text);
  return kubesphereDocument(
    typedEvent(bytes, {
      key: eventKey(bytes),
      listSource: Source.KUBE_AI_HUB,
      includeRaw: true,
      ...extras,
    }),
  );
};

test('an event of Kube AI Hub, as its own archive holds it', () => {
  const sent = `{"Devops":"","Workspace":"demo-ws","Cluster":"host","Message":"","Level":"Metadata",
    "AuditID":"5f0d","Stage":"ResponseComplete","RequestURI":"/api/v1/namespaces/test/services","Verb":"Create",
    "User":{"username":"admin","groups":["system:authenticated","b"]},
    "ImpersonatedUser":null,"SourceIPs":["10.233.64.1","10.0.0.1"],"UserAgent":"Mozilla/5.0",
    "ObjectRef":{"Resource":"services","Namespace":"test","Name":"web","UID":"","APIGroup":"","APIVersion":"v1","ResourceVersion":"Namespace","Subresource":""},
    "ResponseStatus":{"metadata":{},"code":201},"RequestObject":{"id":12345678901234567890},"ResponseObject":null,
    "RequestReceivedTimestamp":"2024-05-01T10:00:00.123456Z","StageTimestamp":"2024-05-01T10:00:00.223456Z","Annotations":null}`;
  expect(documentOf(sent, { message: 'admin created web' })).toEqual({
    AuditID: '5f0d',
    Annotations: null,
    Cluster: 'host',
    Devops: '',
    ImpersonatedUser: null,
    Level: 'Metadata',
    Message: 'admin created web',
    ObjectRef: {
      Resource: 'services',
      Namespace: 'test',
      Name: 'web',
      UID: '',
      APIGroup: '',
      APIVersion: 'v1',
      ResourceVersion: 'Namespace',
      Subresource: '',
    },
    // The number is one that a double cannot hold.
    RequestObject: '{"id":12345678901234567890}',
    RequestReceivedTimestamp: '2024-05-01T10:00:00.123456Z',
    RequestURI: '/api/v1/namespaces/test/services',
    ResponseObject: '',
    ResponseStatus: { metadata: {}, code: 201 },
    SourceIPs: '10.233.64.1,10.0.0.1',
    Stage: 'ResponseComplete',
    StageTimestamp: '2024-05-01T10:00:00.223456Z',
    User: { Groups: 'system:authenticated,b', UID: '', Username: 'admin' },
    UserAgent: 'Mozilla/5.0',
    Verb: 'create',
    Workspace: 'demo-ws',
  });
});

test('an event of Kubernetes is Go-cased too, with what the original loses', () => {
  const document = documentOf(
    `{"auditID":"a","verb":"patch","impersonatedUser":{"username":"bob","groups":["g"]},
      "annotations":{"authorization.k8s.io/decision":"allow"},"responseObject":[1],
      "responseStatus":{"code":403,"reason":"Forbidden"}}`,
    { workspace: 'filled' },
  );
  expect(document).toMatchObject({
    AuditID: 'a',
    ObjectRef: null,
    ImpersonatedUser: { Username: 'bob', UID: '', Groups: 'g' },
    Annotations: { 'authorization.k8s.io/decision': 'allow' },
    RequestObject: '',
    ResponseObject: '[1]',
    ResponseStatus: { metadata: {}, code: 403, reason: 'Forbidden' },
    RequestReceivedTimestamp: null,
    User: null,
    Workspace: 'filled',
  });
});

test('hostile content neither throws nor gets out of its string', () => {
  const nested = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
  const document = documentOf(
    Buffer.from(
      `{"auditID":"<img src=x>","verb":7,"user":{"username":{"__proto__":1}},"sourceIPs":"x",
        "annotations":{"__proto__":"y","deep":${nested}},"requestURI":"\xff\\ud800"}`,
      'latin1',
    ),
  );
  expect(JSON.parse(JSON.stringify(document))).toMatchObject({
    AuditID: '<img src=x>',
    Verb: '7',
    SourceIPs: 'x',
    User: { Username: '{"__proto__":1}' },
  });
});

test('bytes that are no event give an empty document', () => {
  expect(documentOf('nothing')).toMatchObject({ AuditID: '', User: null });
});
