import { randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AlertKind, HopStep, type Hop, type TestReceiverResponse } from '@auditing/proto/alert';
import type { Receiver as ReceiverSpec } from '@auditing/proto/rule';
import { wait } from '@auditing/service/wait';
import { summaryOfOne } from './group';
import { probeAlert } from './own-alerts';
import { checkAddress, type BlockedAddresses } from './receivers/blocked-addresses';
import { hostOf, messageOf, openEndpoint, tlsOptions, type Endpoint } from './receivers/endpoint';
import type { Place } from './receivers/discovery';
import type { Outgoing, ReceiverOptions } from './receivers/receiver';
import { openReceiver } from './receivers/receivers';
import type { TestWays } from './receivers/test-ways';

/** Alertmanager shows what it took within this time. */
const SEEN_TRIES = 10;
const SEEN_EVERY_MS = 100;

/** Sends a receiver a marked test alert, past the outbox, and says how each step of the way went. */
export async function testReceiver(
  spec: ReceiverSpec,
  options: ReceiverOptions,
  signal: AbortSignal,
): Promise<TestReceiverResponse> {
  const marker = `test-${randomUUID()}`;
  const trace = new Trace();
  const receiver = await trace.step({ instance: '', step: HopStep.SETTINGS }, async () => {
    const opened = openReceiver(spec, options);
    try {
      await opened.test?.access();
    } catch (error) {
      await opened.close();
      throw error;
    }
    return { value: opened, detail: 'the receiver and its secrets are well-formed' };
  });
  const ways = receiver?.test;
  if (ways) {
    for (const place of await ways.places(signal)) {
      await testPlace(place, { ...options, ways, marker, trace }, signal);
    }
  }
  await receiver?.close();
  const accepted = trace.hops.some(({ step, ok }) => step === HopStep.POST && ok);
  return { hops: trace.hops, accepted, marker };
}

interface PlaceTest extends Pick<ReceiverOptions, 'tryTimeoutMs' | 'blocked'> {
  readonly ways: TestWays;
  readonly marker: string;
  readonly trace: Trace;
}

async function testPlace(place: Place, test: PlaceTest, signal: AbortSignal): Promise<void> {
  const { ways, marker, trace, tryTimeoutMs, blocked } = test;
  const endpoint = openEndpoint({
    ...place,
    caBundle: ways.caBundle,
    access: ways.access,
    blocked,
    tryTimeoutMs,
    connections: 1,
  });
  const instance = endpoint.name;
  const step = <T>(which: HopStep, go: () => Promise<StepResult<T>>): Promise<T | undefined> =>
    trace.step({ instance, step: which }, go);
  try {
    const address = await step(HopStep.RESOLVE, () => resolve(place, blocked));
    if (address === undefined) return;
    const socket = await step(HopStep.CONNECT, () => connect({ place, address, tryTimeoutMs }));
    if (socket === undefined) return;
    const isTls = place.url.protocol === 'https:';
    const trusted = isTls
      ? await step(HopStep.TLS, () => handshake(socket, { place, ways, tryTimeoutMs }))
      : true;
    socket.destroy();
    if (trusted === undefined) return;
    const taken = await step(HopStep.POST, () => post(endpoint, { place, ways, marker }, signal));
    const { seenPathAt } = ways;
    if (taken && seenPathAt) {
      await step(HopStep.SEEN, () => see(endpoint, seenPathAt(place, marker), signal));
    }
  } finally {
    await endpoint.close();
  }
}

interface StepResult<T> {
  readonly value: T;
  readonly detail: string;
}

/** The steps so far. */
class Trace {
  readonly hops: Hop[] = [];

  /** Goes a step; undefined if it failed. */
  async step<T>(
    where: Pick<Hop, 'instance' | 'step'>,
    go: () => Promise<StepResult<T>>,
  ): Promise<T | undefined> {
    const startedAt = performance.now();
    const durationUs = (): bigint => BigInt(Math.round((performance.now() - startedAt) * 1_000));
    try {
      const { value, detail } = await go();
      this.hops.push({ ...where, ok: true, detail, durationUs: durationUs() });
      return value;
    } catch (error) {
      const detail = messageOf(error);
      this.hops.push({ ...where, ok: false, detail, durationUs: durationUs() });
      return undefined;
    }
  }
}

async function resolve(
  { url, address }: Place,
  blocked: BlockedAddresses,
): Promise<StepResult<string>> {
  const host = hostOf(url);
  checkAddress(address ?? host, blocked);
  if (address !== undefined) return { value: address, detail: `${host} is at ${address}` };
  if (isIP(host)) return { value: host, detail: `${host} is an address` };
  const found = await lookup(host, { all: true });
  const addresses = found.map((one) => one.address);
  const allowed = addresses.find((one) => !blocked.has(one)) ?? addresses[0] ?? '';
  checkAddress(allowed, blocked);
  return { value: allowed, detail: `${host} is ${addresses.join(', ')}` };
}

function connect(to: {
  readonly place: Place;
  readonly address: string;
  readonly tryTimeoutMs: number;
}): Promise<StepResult<Socket>> {
  const { url } = to.place;
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const socket = connectTcp({ host: to.address, port });
  return settled(socket, { event: 'connect', timeoutMs: to.tryTimeoutMs }, () => ({
    value: socket,
    detail: `connected to ${to.address} port ${port}`,
  }));
}

async function handshake(
  socket: Socket,
  of: { readonly place: Place; readonly ways: TestWays; readonly tryTimeoutMs: number },
): Promise<StepResult<true>> {
  const { client } = await of.ways.access();
  const host = hostOf(of.place.url);
  const secure = connectTls({
    socket,
    ...tlsOptions(of.ways.caBundle, client),
    host,
    ...(!isIP(host) && { servername: host }),
  });
  return settled(secure, { event: 'secureConnect', timeoutMs: of.tryTimeoutMs }, () => {
    const { subject, valid_to: validTo } = secure.getPeerCertificate();
    const name = String(subject.CN);
    const detail = `${secure.getProtocol() ?? 'TLS'}, certificate of ${name}, valid to ${validTo}`;
    return { value: true, detail };
  });
}

/** Waits until a socket is ready, for a while. */
function settled<T>(
  socket: Socket,
  { event, timeoutMs }: { readonly event: string; readonly timeoutMs: number },
  result: () => T,
): Promise<T> {
  return new Promise((resolveWith, reject) => {
    const timer = setTimeout(
      () => socket.destroy(new Error(`not within ${timeoutMs} ms`)),
      timeoutMs,
    );
    socket.once(event, () => {
      clearTimeout(timer);
      resolveWith(result());
    });
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

async function post(
  endpoint: Endpoint,
  of: { readonly place: Place; readonly ways: TestWays; readonly marker: string },
  signal: AbortSignal,
): Promise<StepResult<true>> {
  const message = of.ways.messageOf(testAlert(of.marker));
  const answer = await endpoint.post(of.ways.pathAt(of.place), message, signal);
  if (answer.kind !== 'taken') throw new Error(answer.reason);
  return { value: true, detail: 'HTTP 2xx: taken' };
}

async function see(
  endpoint: Endpoint,
  path: string,
  signal: AbortSignal,
): Promise<StepResult<true>> {
  for (let tries = 0; tries < SEEN_TRIES; tries += 1) {
    const text = await endpoint.get(path, signal);
    if (text !== undefined && text.trim() !== '[]' && text.trim() !== '') {
      return { value: true, detail: 'the alert is shown' };
    }
    await wait(SEEN_EVERY_MS, signal);
  }
  throw new Error('the alert was taken, but is not shown');
}

function testAlert(marker: string): Outgoing {
  const nowMs = Date.now();
  const raised = probeAlert(marker, { receivers: [], nowMs });
  const alert = raised.alert && {
    ...raised.alert,
    rule: 'auditing.AuditingTest',
    message: `Test ${marker}: somebody tests this receiver. Nothing happened.`,
  };
  return {
    raised: { ...raised, alert },
    kind: AlertKind.PROBE,
    deliveryId: raised.id.toString('hex'),
    summary: summaryOfOne(alert, nowMs),
  };
}
