import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';
import { OPENAPI_PATH } from './openapi';
import { OWN_API } from './own-api';
import { event, eventually } from './testing/gateway';
import { KAPIS, TestQueryApi, typed } from './testing/query-api';

let api: TestQueryApi;

beforeEach(async () => {
  api = new TestQueryApi();
  await api.serve();
});

afterEach(() => api.runtime.stop());

describe('every answer', () => {
  test('a client that goes away ends its search', async () => {
    api.archive.answers = [{ events: [typed(event('a'))] }];
    api.archive.endless = true;
    const response = await api.open(KAPIS);
    response.destroy();
    await eventually('the search is told', () => api.archive.ended);
  });

  test('errors of services become answers that can be read; bugs stay in the log', async () => {
    api.archive.failure = new RpcError(status.UNAVAILABLE, 'the archive is away');
    const away = await api.get(KAPIS);
    expect(away.status).toBe(503);
    expect(away.headers['retry-after']).toBe('5');
    expect(JSON.parse(away.bytes.toString())).toEqual({ error: 'the archive is away' });
    api.archive.failure = new Error('secret detail');
    const bug = await api.get(KAPIS);
    expect(bug.status).toBe(500);
    expect(bug.bytes.toString()).not.toContain('secret');
  });

  test('an unknown path is 404, another method 405, in JSON', async () => {
    expect((await api.ask('/nothing')).status).toBe(404);
    const posted = await fetch(`${api.url}${KAPIS}`, { method: 'POST' });
    expect(posted.status).toBe(405);
    expect(posted.headers.get('allow')).toBe('GET, HEAD');
    expect(await posted.json()).toHaveProperty('error');
  });

  test('a page of another origin can have nothing done here', async () => {
    const path = `${OWN_API}/alerts/dead-letters?receiver=am`;
    const foreign = await api.does('DELETE', path, { origin: 'https://evil.example' });
    expect(foreign).toMatchObject({ status: 403 });
    expect(api.archive.asked).toEqual([]);
    const own = await api.does('DELETE', path, { origin: api.url });
    expect(own.status).toBe(200);
  });

  test('is JSON that no browser takes for something else', async () => {
    api.archive.answers = [{ events: [typed(event('<script>'))], total: 1n }];
    const { headers } = await api.get(KAPIS);
    expect(headers).toMatchObject({
      'content-type': expect.stringMatching(/^application\/json/) as string,
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'none'") as string,
    });
  });
});

describe('who may ask', () => {
  test('without a token, a page that gave its own name this address is refused', async () => {
    expect((await api.get(KAPIS, { host: 'evil.example' })).status).toBe(403);
    expect((await api.get(KAPIS, { host: 'localhost:8080' })).status).toBe(200);
  });

  test('without a token only a loopback address is listened on', async () => {
    await expect(api.serve({}, { host: '0.0.0.0' })).rejects.toThrow('AUDITING_API_TOKEN');
  });

  test('with a token it must be sent', async () => {
    await api.serve({ token: 'open sesame' });
    expect((await api.get(KAPIS)).status).toBe(401);
    expect((await api.get(KAPIS, { authorization: 'Bearer nope' })).status).toBe(401);
    expect((await api.get(KAPIS, { authorization: 'Bearer open sesame' })).status).toBe(200);
  });

  test('the index and the document say nothing that is secret, to everybody', async () => {
    await api.serve({ token: 'open sesame' });
    expect((await api.get('/')).status).toBe(200);
    expect((await api.get(OPENAPI_PATH)).status).toBe(200);
  });
});
