import { setTimeout as sleep } from 'node:timers/promises';
import { TestWebhook, until } from './testing/webhook';

const BODY = '{"items":[{"level":"Metadata","auditID":"a"}]}';

let webhook: TestWebhook;

beforeEach(async () => {
  webhook = await TestWebhook.start();
});

afterEach(() => webhook.remove());

test('an answer waits while much is on its way, its body on disk and its memory given back', async () => {
  const { spool } = webhook.intake;
  let letGo = (): void => undefined;
  const crowded = new Promise<void>((resolve) => (letGo = resolve));
  const paced = jest.spyOn(spool, 'paced').mockReturnValue(crowded);
  let isAnswered = false;
  const answer = webhook.post(BODY).finally(() => (isAnswered = true));
  await until(() => Promise.resolve(paced.mock.calls.length === 1));
  expect(spool.end).toBeGreaterThan(0);
  await until(async () => (await webhook.metric('auditing_gateway_bodies_in_flight_bytes')) === 0);
  await sleep(50);
  expect(isAnswered).toBe(false);
  letGo();
  expect((await answer).status).toBe(200);
});

test('an answer does not wait where nobody drains', async () => {
  expect((await webhook.post(BODY)).status).toBe(200);
});
