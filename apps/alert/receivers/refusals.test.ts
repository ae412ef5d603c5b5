import { pino } from 'pino';
import { RaisedAlert } from '@auditing/proto/outbox';
import { Receiver as ReceiverSpec } from '@auditing/proto/rule';
import { startFaultServer, type FaultServer } from '../testing/fault-server';
import { outgoing, sampleAlert } from '../testing/samples';
import { until } from '../testing/until';
import { blockedAddresses } from './blocked-addresses';
import { answerOf } from './endpoint';
import type { Answer, Receiver } from './receiver';
import { openReceiver } from './receivers';

const SIGNAL = new AbortController().signal;
const REFUSAL = { status: 400, text: 'invalid label set' } as const;
const RAISED = RaisedAlert.fromPartial({
  id: Buffer.alloc(32),
  alert: sampleAlert('web'),
  raisedAtUs: Date.now() * 1_000,
});

describe('of two instances of an Alertmanager', () => {
  let taking: FaultServer;
  let refusing: FaultServer;
  let receiver: Receiver;
  let logged: Record<string, unknown>[];

  beforeEach(async () => {
    [taking, refusing] = [await startFaultServer(), await startFaultServer()];
    refusing.behave = () => REFUSAL;
    logged = [];
    const log = pino(
      {},
      { write: (line: string) => logged.push(JSON.parse(line) as Record<string, unknown>) },
    );
    const url = `${taking.url},${refusing.url}`;
    receiver = openReceiver(ReceiverSpec.fromPartial({ name: 'am', type: 'alertmanager', url }), {
      log,
      holdMs: 600_000,
      tryTimeoutMs: 10_000,
      secretsDir: '/nowhere',
      blocked: blockedAddresses.parse(''),
      text: { hasTimeLabel: true, externalUrl: '' },
      onOverflow: () => undefined,
    });
  });

  afterEach(async () => {
    await receiver.close();
    await taking.close();
    await refusing.close();
  });

  const send = (): Promise<Answer> => receiver.send([outgoing(RAISED, 'ab'.repeat(32))], SIGNAL);
  const counts = (): (number | undefined)[] =>
    (receiver.instances?.() ?? []).map(({ refusedCount }) => refusedCount);
  const refusals = () => logged.filter(({ msg }) => String(msg).includes('refuses'));

  test('what one refuses and the other takes is taken, counted for the one, and logged once', async () => {
    for (let count = 1; count <= 3; count += 1) {
      expect(await send()).toMatchObject({ kind: 'taken' });
      await until('it is counted', () => counts()[1] === count);
    }
    expect(counts()).toEqual([0, 3]);
    expect(refusals()).toEqual([
      expect.objectContaining({
        receiver: 'am',
        instance: `${refusing.url}/`,
        alerts: 1,
        reason: 'HTTP 400: invalid label set',
      }),
    ]);
  });

  test('so is what one refuses that was away when the other took it', async () => {
    refusing.behave = () => (refusing.posted.length === 1 ? { status: 503 } : REFUSAL);
    expect(await send()).toMatchObject({ kind: 'taken' });
    await until('it is counted', () => counts()[1] === 1);
    expect(refusals()).toHaveLength(1);
  });

  test('what both refuse is refused, and is no matter of one instance', async () => {
    taking.behave = () => REFUSAL;
    expect(await send()).toMatchObject({ kind: 'refused' });
    expect(counts()).toEqual([0, 0]);
    expect(refusals()).toEqual([]);
  });
});

test('of an answer the status and a hundred printable characters are told', () => {
  const told = (text: string) => answerOf('r', { statusCode: 500, headers: {} }, text);
  expect(told(' a\u0007\r\n\u202Eb\u200B\u2028c ')).toMatchObject({ reason: 'HTTP 500: a b c' });
  expect(told('x'.repeat(1_000))).toMatchObject({ reason: `HTTP 500: ${'x'.repeat(100)}` });
  // Not half of a character.
  expect(told('😀'.repeat(1_000))).toMatchObject({ reason: `HTTP 500: ${'😀'.repeat(100)}` });
});
