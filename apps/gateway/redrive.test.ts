import { BodyError } from '@auditing/audit-event/body-error';
import { redrive } from './redrive';
import { event } from './testing/gateway';
import { TestWebhook } from './testing/webhook';

let webhook: TestWebhook;
beforeEach(async () => {
  webhook = await TestWebhook.start();
});
afterEach(() => webhook.remove());

const arrival = { receivedAtUs: 2, peer: '', traceParent: '' };

describe('a dead letter that is sent on its way again', () => {
  test('is in the spool under a new batch id, and no dead letter any more', async () => {
    const { deadLetters } = webhook.intake;
    expect((await webhook.post(event('a'))).status).toBe(200);
    await deadLetters.add({
      kind: 'event',
      receivedAtUs: 1,
      reason: 'refused',
      data: Buffer.from(event('a')),
    });
    const [entry] = deadLetters.list(1);
    expect(await redrive(webhook.intake, entry!.hash, arrival)).toBe('spooled');
    expect(deadLetters.count).toBe(0);
    const ids = (await webhook.spooled()).map(({ batch }) => batch.id?.sequence);
    expect(ids).toEqual([1n, 2n]);
    expect(await redrive(webhook.intake, entry!.hash, arrival)).toBe('unknown');
  });

  test('stays one if there is no event in it, or not all of it', async () => {
    const { deadLetters } = webhook.intake;
    await webhook.post('rubbish');
    const [bad] = deadLetters.list(1);
    await expect(redrive(webhook.intake, bad!.hash, arrival)).rejects.toThrow(BodyError);
    const whole = { hash: Buffer.alloc(32, 1), bytes: 1_000 };
    await deadLetters.add({
      kind: 'body',
      receivedAtUs: 1,
      reason: 'x',
      data: Buffer.from('{}'),
      whole,
    });
    expect(await redrive(webhook.intake, whole.hash.toString('hex'), arrival)).toBe('cut');
    expect(deadLetters.count).toBe(2);
    expect(await webhook.events()).toEqual([]);
  });
});
