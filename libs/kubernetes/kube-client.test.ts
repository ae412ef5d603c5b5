import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { apply } from './apply';
import { kubeClient } from './kube-client';
import { inClusterConnection, openConnection } from './kube-connection';
import type { KubeObject, ResourceType } from './kube-object';
import { reviewAccess, reviewToken } from './reviews';
import { fakeKubeApi, type FakeKubeApi } from './testing/fake-kube-api';

const never = new AbortController().signal;
const CONFIG_MAPS: ResourceType = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };

describe('against an API server', () => {
  let api: FakeKubeApi;

  beforeEach(async () => {
    api = await fakeKubeApi();
  });

  afterEach(() => api.stop());

  test('an object that is applied is made, changed, and loses what is no longer named', async () => {
    const client = kubeClient(api.connection);
    const applied = (data: object): Promise<KubeObject & { readonly data: object }> =>
      apply(
        client,
        {
          type: CONFIG_MAPS,
          object: { metadata: { name: 'a', namespace: 'one' }, data } as KubeObject,
        },
        { fieldManager: 'mine', signal: never },
      );
    expect((await applied({ x: '1', y: '2' })).data).toEqual({ x: '1', y: '2' });
    expect((await applied({ x: '3' })).data).toEqual({ x: '3' });
    expect(api.requests[0]).toMatchObject({
      method: 'PATCH',
      path: '/api/v1/namespaces/one/configmaps/a',
      authorization: 'Bearer fake',
      body: { apiVersion: 'v1', kind: 'ConfigMap' },
    });
  });

  test('a refusal carries the status, the reason and the words of the server', async () => {
    const request = kubeClient(api.connection).request({
      path: '/api/v1/namespaces/one/configmaps/none',
      signal: never,
    });
    await expect(request).rejects.toMatchObject({
      code: 404,
      details: { reason: 'NotFound' },
      message: 'GET /api/v1/namespaces/one/configmaps/none: none not found',
    });
  });

  test('an answer without a body is no object', async () => {
    api.onRequest = () => ({ code: 200, body: undefined as unknown as object });
    const request = kubeClient(api.connection).request({ path: '/api/v1/pods', signal: never });
    await expect(request).resolves.toBeUndefined();
  });

  test('a call ends at once when its caller gives up', async () => {
    const caller = new AbortController();
    api.onRequest = async () => {
      caller.abort();
      return new Promise(() => undefined);
    };
    const request = kubeClient(api.connection).request({
      path: '/api/v1/pods',
      signal: caller.signal,
    });
    await expect(request).rejects.toThrow('GET /api/v1/pods: the caller gave up');
  });

  test('an API server that is not there is named', async () => {
    await api.stop();
    const request = kubeClient(api.connection).request({ path: '/api/v1/pods', signal: never });
    await expect(request).rejects.toThrow(/the API server is not reached \(ECONN/);
  });

  test('a token is somebody’s or nobody’s', async () => {
    api.onRequest = ({ body }) => {
      const { token } = body['spec'] as { token: string };
      const user = { username: 'alice', groups: ['developers'] };
      return { code: 201, body: { status: { authenticated: token === 'good', user } } };
    };
    const client = kubeClient(api.connection);
    const user = await reviewToken(client, 'good', { audiences: ['us'], signal: never });
    expect(user).toEqual({ username: 'alice', groups: ['developers'] });
    expect(await reviewToken(client, 'bad', { signal: never })).toBeUndefined();
    expect(api.requests.map(({ body }) => body['spec'])).toEqual([
      { token: 'good', audiences: ['us'] },
      { token: 'bad' },
    ]);
  });

  test.each([
    [{ allowed: true }, true],
    [{ allowed: false, reason: 'no role' }, false],
    [{ allowed: true, denied: true }, false],
    [{}, false],
  ])('access of %j is %s', async (status, allowed) => {
    api.onRequest = () => ({ code: 201, body: { status } });
    const resource = { group: 'auditing.kubesphere.io', resource: 'events', verb: 'get' };
    const review = await reviewAccess(
      kubeClient(api.connection),
      { user: { username: 'alice' }, resource },
      never,
    );
    expect(review.allowed).toBe(allowed);
    expect(api.requests[0]?.body['spec']).toEqual({ user: 'alice', resourceAttributes: resource });
  });
});

describe('over TLS', () => {
  let folder: string;
  let url: string;
  let ca: string;
  let close: () => void;
  const seen: (string | undefined)[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kube-'));
    const pems = await generate([{ name: 'commonName', value: 'localhost' }], {
      keySize: 2048,
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
    });
    ca = pems.cert;
    const server = createServer({ key: pems.private, cert: pems.cert }, (request, response) => {
      seen.push(request.headers.authorization);
      response.end('{"ok":true}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `https://localhost:${(server.address() as AddressInfo).port}`;
    close = () => {
      server.closeAllConnections();
      server.close();
    };
  });

  afterAll(async () => {
    close();
    await rm(folder, { recursive: true });
  });

  test('a pod is known by its token, which is read anew each time', async () => {
    await writeFile(join(folder, 'ca.crt'), ca);
    await writeFile(join(folder, 'token'), 'first\n');
    await writeFile(join(folder, 'namespace'), 'here');
    const client = kubeClient(await inClusterConnection(folder, url));
    expect(client.connection.namespace).toBe('here');
    seen.length = 0;
    await client.request({ path: '/', signal: never });
    await writeFile(join(folder, 'token'), 'second');
    await client.request({ path: '/', signal: never });
    expect(seen).toEqual(['Bearer first', 'Bearer second']);
    client.close();
  });

  test('a certificate that nobody vouches for is refused, until it is', async () => {
    await writeFile(join(folder, 'ca.crt'), '');
    const client = kubeClient(await inClusterConnection(folder, url));
    const request = (): Promise<object> => client.request({ path: '/', signal: never });
    await expect(request()).rejects.toThrow(/SELF_SIGNED/);
    await writeFile(join(folder, 'ca.crt'), ca);
    await expect(request()).resolves.toEqual({ ok: true });
    client.close();
  });

  test('a kubeconfig gives server, authority, namespace and token', async () => {
    const path = join(folder, 'kubeconfig');
    await writeFile(join(folder, 'own-ca.crt'), ca);
    await writeFile(
      path,
      `current-context: b
contexts: [{ name: b, context: { cluster: c, user: u, namespace: n } }]
clusters: [{ name: c, cluster: { server: '${url}/', certificate-authority: own-ca.crt } }]
users: [{ name: u, user: { token: mine } }]
`,
    );
    const client = kubeClient(await openConnection(path));
    expect(client.connection.namespace).toBe('n');
    await client.request({ path: '/', signal: never });
    expect(seen.at(-1)).toBe('Bearer mine');
    client.close();
  });

  test.each([
    ['{}', 'expected current-context, got nothing'],
    ['current-context: x', 'there is no context `x`'],
    [
      'current-context: x\ncontexts: [{ name: x, context: { cluster: c, user: u } }]',
      'there is no cluster `c`',
    ],
    [
      `current-context: x
contexts: [{ name: x, context: { cluster: c, user: u } }]
clusters: [{ name: c, cluster: { server: 'https://x' } }]
users: [{ name: u, user: { exec: { command: login } } }]`,
      'logs in by a plug-in',
    ],
  ])('a kubeconfig that cannot be used says why: %#', async (text, why) => {
    const path = join(folder, 'bad');
    await writeFile(path, text);
    await expect(openConnection(path)).rejects.toThrow(why);
  });

  test('outside of a pod the missing files are named', async () => {
    await expect(inClusterConnection(join(folder, 'none'))).rejects.toThrow(/service account in/);
  });
});
