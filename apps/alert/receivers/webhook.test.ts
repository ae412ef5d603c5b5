import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { generate } from 'selfsigned';
import { RaisedAlert } from '@auditing/proto/outbox';
import { Receiver as ReceiverSpec } from '@auditing/proto/rule';
import { startFaultServer, type FaultServer } from '../testing/fault-server';
import { outgoing, sampleAlert } from '../testing/samples';
import { blockedAddresses } from './blocked-addresses';
import type { Answer, Receiver } from './receiver';
import { openReceiver } from './receivers';

const SIGNAL = new AbortController().signal;
const OPTIONS = {
  log: pino({ level: 'silent' }),
  holdMs: 600_000,
  tryTimeoutMs: 60_000,
  secretsDir: '/nowhere',
  blocked: blockedAddresses.parse(''),
  text: { hasTimeLabel: true, externalUrl: '' },
  onOverflow: () => undefined,
};
const DELIVERY_ID = 'ab'.repeat(32);

const RAISED = RaisedAlert.fromPartial({
  id: Buffer.alloc(32),
  alert: sampleAlert('web'),
  raisedAtUs: Date.now() * 1_000,
});

async function send(receiver: Receiver): Promise<Answer> {
  try {
    return await receiver.send([outgoing(RAISED, DELIVERY_ID)], SIGNAL);
  } finally {
    await receiver.close();
  }
}

describe('webhook and notificationmanager receivers', () => {
  let server: FaultServer;
  beforeEach(async () => {
    server = await startFaultServer();
  });
  afterEach(() => server.close());

  test.each(['webhook', 'notificationmanager'])(
    '%s posts the JSON of Alertmanager, with the delivery id in a header',
    async (type) => {
      const url = `${server.url.replace('//', '//me:pass%20word@')}/hook?team=a`;
      const spec = ReceiverSpec.fromPartial({ name: 'mine', type, url });
      // Without user name, password and query.
      const by = `${server.url}/hook`;
      expect(await send(openReceiver(spec, OPTIONS))).toEqual({ kind: 'taken', by });
      const [posted] = server.taken;
      expect(posted?.path).toBe('/hook?team=a');
      expect(posted?.headers).toMatchObject({
        'content-type': 'application/json',
        'auditing-delivery-id': DELIVERY_ID,
        authorization: `Basic ${Buffer.from('me:pass word').toString('base64')}`,
      });
      expect(posted?.body).toMatchObject({
        version: '4',
        status: 'firing',
        receiver: 'mine',
        groupLabels: { alertname: 'AttachOrExecPod' },
        commonLabels: { alerttype: 'auditing', name: 'web' },
        commonAnnotations: { message: 'admin exec Pod web in Namespace default.' },
        alerts: [
          {
            status: 'firing',
            labels: { alertname: 'AttachOrExecPod', user: 'admin' },
            annotations: { priority: 'WARNING' },
            startsAt: '2024-11-23T16:57:47.177Z',
            endsAt: '0001-01-01T00:00:00Z',
            fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
          },
        ],
      });
    },
  );
});

describe('TLS to a receiver', () => {
  let server: Server;
  let url: string;
  let certificate: string;

  beforeAll(async () => {
    const pair = await generate([{ name: 'commonName', value: 'localhost' }]);
    certificate = pair.cert;
    server = createServer({ key: pair.private, cert: pair.cert }, (request, response) => {
      request.resume().once('end', () => response.end());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `https://localhost:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test.each(['webhook', 'alertmanager'])(
    '%s trusts the certificates of caBundle and no others',
    async (type) => {
      const spec = ReceiverSpec.fromPartial({ name: 'r', type, url });
      const refused = await send(openReceiver(spec, OPTIONS));
      expect(refused).toMatchObject({ kind: 'retry' });
      expect(refused).toHaveProperty('reason', expect.stringMatching(/certificate/));
      const trusting = { ...spec, caBundle: Buffer.from(certificate) };
      expect(await send(openReceiver(trusting, OPTIONS))).toMatchObject({ kind: 'taken' });
    },
  );
});
