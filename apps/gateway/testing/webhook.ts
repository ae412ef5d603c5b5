import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { request as httpsRequest, Agent } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { decompressBlock, sliceBlock } from '@auditing/audit-event/block';
import type { Files } from '@auditing/journal/files';
import { readSettings } from '@auditing/service/settings';
import { testRuntime, type TestRuntime } from '@auditing/service/testing/runtime';
import { SETTINGS, type GatewayConfig } from '../config';
import { openIntake } from '../open-intake';
import { openWebhook, type Webhook, type WebhookOptions } from '../open-webhook';
import type { SpoolPart } from '../spool';
import type { Intake } from '../take-body';

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** How a test webhook differs from one with defaults. */
export interface TestWebhookOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Files;
  readonly waits?: WebhookOptions['waits'];
}

/** The receiving half of a gateway on a free port, over real sockets, with its data in a folder of its own. */
export class TestWebhook {
  readonly logged: Record<string, unknown>[] = [];
  intake!: Intake;
  runtime!: TestRuntime;
  webhook!: Webhook;
  agent!: Agent;
  directory = '';
  /** How `socket` trusts the server, where it is not by the CA of the webhook. */
  trust: { readonly rejectUnauthorized?: boolean } = {};
  #config!: GatewayConfig;
  readonly #raw = new Map<TLSSocket, Socket>();

  /** Starts one; its data is removed by `remove`. */
  static async start(options: TestWebhookOptions = {}): Promise<TestWebhook> {
    const test = new TestWebhook();
    test.directory = await mkdtemp(join(tmpdir(), 'webhook-'));
    await test.restart(options);
    return test;
  }

  /** Starts again on the same data. */
  async restart({ env, files, waits }: TestWebhookOptions = {}): Promise<void> {
    this.#config = readSettings<GatewayConfig>(SETTINGS, {
      AUDITING_DATA_DIR: this.directory,
      AUDITING_WEBHOOK_PORT: '0',
      AUDITING_WEBHOOK_HOST: '127.0.0.1',
      ...env,
    });
    this.runtime = testRuntime((line) => this.logged.push(line));
    this.intake = await openIntake(this.#config.receive, this.runtime, files);
    const { webhook, receive } = this.#config;
    // A busy machine may take longer than senders wait: no test is about that unless it says so.
    const options = { webhook, receive, waits: { ...PATIENT, ...waits } };
    this.webhook = await openWebhook(options, this.intake, this.runtime);
    this.agent = new Agent({ ca: this.webhook.caCert, keepAlive: true, maxSockets: 400 });
  }

  async stop(): Promise<void> {
    this.agent.destroy();
    // A TCP socket below TLS may outlive it, and would keep the test process alive.
    for (const [secure, raw] of this.#raw) {
      secure.destroy();
      raw.destroy();
    }
    await this.runtime.stop();
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  get url(): URL {
    return new URL(this.webhook.url);
  }

  post(body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
    const length = { 'Content-Length': String(Buffer.byteLength(body)) };
    const all = { 'Content-Type': 'application/json', ...length, ...headers };
    return this.send({ method: 'POST', headers: all }, body);
  }

  send(options: RequestOptions & { ca?: string }, body?: string | Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const secure = this.url.protocol === 'https:';
      const send = secure ? httpsRequest : httpRequest;
      const req = send(this.url, { ...(secure && { agent: this.agent }), ...options }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      });
      req.on('error', reject);
      req.end(body);
    });
  }

  /** A connection to write bytes to by hand. */
  async socket(): Promise<TLSSocket> {
    const raw = connectTcp({ host: '127.0.0.1', port: Number(this.url.port) });
    const socket = connect({
      socket: raw,
      ca: this.webhook.caCert,
      ...this.trust,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => undefined);
    this.#raw.set(socket, raw);
    return socket;
  }

  /** Ends a connection of `socket` by a TCP reset. */
  reset(socket: TLSSocket): void {
    this.#raw.get(socket)?.resetAndDestroy();
  }

  /** Everything in the spool. */
  async spooled(): Promise<SpoolPart[]> {
    const parts: SpoolPart[] = [];
    const { spool } = this.intake;
    const stop = new AbortController();
    if (spool.start === spool.end) return [];
    for await (const part of spool.parts(0, stop.signal)) {
      parts.push(part);
      if (part.next >= spool.end) break;
    }
    return parts;
  }

  /** The bytes of every event in the spool. */
  async events(): Promise<Buffer[]> {
    const events: Buffer[] = [];
    for (const { batch } of await this.spooled()) {
      if (!batch.block) throw new Error('a part without a block');
      events.push(...sliceBlock(await decompressBlock(batch.block), batch.sliceBytes));
    }
    return events;
  }

  /** The value of a metric, as /metrics shows it. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const metric = await this.runtime.metrics.getSingleMetric(name)?.get();
    const wanted = Object.entries(labels);
    const values = metric?.values.filter(({ labels: has }) =>
      wanted.every(([key, value]) => has[key as never] === value),
    );
    return values?.reduce((sum, { value }) => sum + value, 0) ?? NaN;
  }
}

const PATIENT = { answerMs: 60_000, largeAnswerMs: 300_000 };

/** How long a test waits for something that should be so in a moment: it only ends what hangs. */
const PATIENCE_MS = 60_000;

/** Waits until something is true; rejects if it does not become so. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > end)
      throw new Error(`not so within ${PATIENCE_MS} ms: ${String(isSo)}`);
    await sleep(5);
  }
}
