import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { generate } from 'selfsigned';
import { RaisedAlert } from '@auditing/proto/outbox';
import { Receiver as ReceiverSpec } from '@auditing/proto/rule';
import { startFaultServer, type FaultServer } from '../testing/fault-server';
import { scratchFolder } from '../testing/opened';
import { outgoing, sampleAlert } from '../testing/samples';
import { signatureHeaders } from './access';
import { blockedAddresses } from './blocked-addresses';
import type { Answer } from './receiver';
import { openReceiver } from './receivers';

const SIGNAL = new AbortController().signal;
const RAISED = RaisedAlert.fromPartial({ id: Buffer.alloc(32), alert: sampleAlert('web') });

describe('secrets of a receiver', () => {
  const scratch = scratchFolder();
  const options = {
    log: pino({ level: 'silent' }),
    holdMs: 600_000,
    tryTimeoutMs: 60_000,
    secretsDir: scratch.path,
    blocked: blockedAddresses.parse(''),
    text: { hasTimeLabel: true, externalUrl: '' },
    onOverflow: () => undefined,
  };
  let server: FaultServer;

  beforeAll(() => {
    mkdirSync(join(scratch.path, 'pager'));
    writeFileSync(join(scratch.path, 'pager', 'token'), 'sesame\n');
    writeFileSync(join(scratch.path, 'pager', 'hmac'), 'signing key');
  });
  beforeEach(async () => {
    server = await startFaultServer();
  });
  afterEach(() => server.close());
  afterAll(() => scratch.remove());

  const send = async (fields: Parameters<typeof ReceiverSpec.fromPartial>[0]): Promise<Answer> => {
    const spec = { name: 'r', type: 'webhook', url: server.url, ...fields };
    const receiver = openReceiver(ReceiverSpec.fromPartial(spec), options);
    try {
      return await receiver.send([outgoing(RAISED)], SIGNAL);
    } finally {
      await receiver.close();
    }
  };
  const token = { secret: { name: 'pager', key: 'token' } };

  test.each([
    [{ bearerToken: token }, { authorization: 'Bearer sesame' }],
    [
      { basicAuth: { username: 'me', password: { file: 'pager/token' } } },
      { authorization: `Basic ${Buffer.from('me:sesame').toString('base64')}` },
    ],
    [
      {
        headers: [
          { name: 'X-Team', value: 'red' },
          { name: 'X-Key', valueFrom: token },
        ],
      },
      { 'x-team': 'red', 'x-key': 'sesame' },
    ],
  ])('are sent as %j says', async (fields, headers) => {
    expect(await send(fields)).toMatchObject({ kind: 'taken' });
    expect(server.taken[0]?.headers).toMatchObject(headers);
  });

  test('sign each request to a webhook, with its time', async () => {
    await send({ signingKey: { file: 'pager/hmac' } });
    const [posted] = server.taken;
    const timestamp = String(posted?.headers['auditing-timestamp']);
    expect(Math.abs(Number(timestamp) * 1_000 - Date.now())).toBeLessThan(60_000);
    const mac = createHmac('sha256', 'signing key').update(
      `${timestamp}.${JSON.stringify(posted?.body)}`,
    );
    expect(posted?.headers['auditing-signature']).toBe(`sha256=${mac.digest('hex')}`);
    expect(signatureHeaders(undefined, { body: '', nowMs: 0 })).toEqual({});
  });

  test.each([{ file: 'pager/none' }, { file: '../outside' }, { secret: { name: '', key: 'x' } }])(
    'that cannot be read keep the alert waiting, and say which: %j',
    async (bearerToken) => {
      const answer = await send({ bearerToken });
      expect(answer).toMatchObject({ kind: 'retry' });
      expect(JSON.stringify(answer)).toContain('secret');
      expect(server.posted).toEqual([]);
    },
  );

  test('a client certificate is shown to a server that asks for one', async () => {
    const serverPair = await generate([{ name: 'commonName', value: 'localhost' }]);
    const clientPair = await generate([{ name: 'commonName', value: 'auditing' }]);
    writeFileSync(join(scratch.path, 'tls.crt'), clientPair.cert);
    writeFileSync(join(scratch.path, 'tls.key'), clientPair.private);
    const names: unknown[] = [];
    const https = createServer(
      {
        key: serverPair.private,
        cert: serverPair.cert,
        ca: clientPair.cert,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (request, response) => {
        request.resume().once('end', () => response.end());
      },
    );
    https.on('secureConnection', (socket) => names.push(socket.getPeerCertificate().subject.CN));
    https.listen(0, '127.0.0.1');
    await once(https, 'listening');
    const url = `https://localhost:${(https.address() as AddressInfo).port}`;
    const caBundle = Buffer.from(serverPair.cert);
    try {
      expect(await send({ url, caBundle })).toMatchObject({ kind: 'retry' });
      const clientCertificate = {
        certificate: { file: 'tls.crt' },
        privateKey: { file: 'tls.key' },
      };
      expect(await send({ url, caBundle, clientCertificate })).toMatchObject({ kind: 'taken' });
      expect(names).toEqual(['auditing']);
    } finally {
      https.closeAllConnections();
      https.close();
    }
  });
});
