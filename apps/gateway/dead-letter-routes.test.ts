import { deadLetterRoutes } from './dead-letter-routes';
import { OWN_API } from './own-api';
import { event } from './testing/gateway';
import { TestQueryApi } from './testing/query-api';
import { TestWebhook } from './testing/webhook';

let webhook: TestWebhook;
let api: TestQueryApi;
beforeEach(async () => {
  webhook = await TestWebhook.start();
  api = new TestQueryApi();
  api.ownRoutes = deadLetterRoutes(webhook.intake);
  await api.serve();
});
afterEach(async () => {
  await api.runtime.stop();
  await webhook.remove();
});

async function letter(data: string, bytes = data.length): Promise<string> {
  const { deadLetters } = webhook.intake;
  const hash = Buffer.alloc(32, bytes);
  const whole = { hash, bytes };
  await deadLetters.add({
    kind: 'event',
    receivedAtUs: 1,
    reason: 'x',
    data: Buffer.from(data),
    whole,
  });
  return hash.toString('hex');
}

test('a dead letter is taken as if it had just come, and is none any more', async () => {
  const hash = await letter(event('a'));
  const path = `${OWN_API}/dead-letters/${hash}/redrive`;
  expect(await api.does('POST', path)).toEqual({ status: 200, body: { redriven: 1 } });
  expect((await webhook.events()).map(String)).toEqual([event('a')]);
  expect((await api.does('POST', path)).status).toBe(404);
  expect((await api.ask(`${OWN_API}/dead-letters`)).body).toMatchObject({ count: 0 });
});

test('one that cannot be taken stays, with the reason', async () => {
  const rubbish = await letter('rubbish');
  const bad = await api.does('POST', `${OWN_API}/dead-letters/${rubbish}/redrive`);
  expect(bad).toMatchObject({
    status: 400,
    body: { error: expect.stringMatching(/byte|JSON/) as string },
  });
  const cut = await letter(event('a'), 100_000);
  const refused = await api.does('POST', `${OWN_API}/dead-letters/${cut}/redrive`);
  expect(refused).toMatchObject({
    status: 400,
    body: { error: expect.stringContaining('beginning') as string },
  });
  expect(webhook.intake.deadLetters.count).toBe(2);
  expect(await webhook.events()).toEqual([]);
});

test('a dead letter is removed for good', async () => {
  const path = `${OWN_API}/dead-letters/${await letter('rubbish')}`;
  expect(await api.does('DELETE', path)).toEqual({ status: 200, body: { deleted: 1 } });
  expect((await api.does('DELETE', path)).status).toBe(404);
  expect((await api.ask(path)).status).toBe(404);
});
