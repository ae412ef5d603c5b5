import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeBody } from '@auditing/audit-event/decode-body';
import type { Files } from '@auditing/journal/files';
import { NO_TRACING } from '@auditing/service/tracing';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { type NewDeadLetter } from '../dead-letters';
import { openPipeline, type Pipeline } from '../pipeline';
import { pipelineMetrics, watchOldest } from '../pipeline-metrics';
import { ProbeTrails } from '../probe-trails';
import type { PipelineServices } from '../service-calls';
import { Spool } from '../spool';
import { TestAlert, TestArchive, TestRule } from './services';

/** One Kubernetes event as JSON text. */
export function event(auditId: string, fields: Record<string, unknown> = {}): string {
  return JSON.stringify({
    level: 'RequestResponse',
    auditID: auditId,
    stage: 'ResponseComplete',
    requestURI: '/api/v1/namespaces/demo/pods',
    verb: 'get',
    user: { username: 'admin', groups: ['system:authenticated'] },
    objectRef: { resource: 'pods', namespace: 'demo', name: auditId },
    responseStatus: { metadata: {}, code: 200 },
    requestReceivedTimestamp: '2026-05-01T10:00:00.123456Z',
    stageTimestamp: '2026-05-01T10:00:00.223456Z',
    ...fields,
  });
}

/** One event of Kube AI Hub as JSON text. */
export function hubEvent(auditId: string, fields: Record<string, unknown> = {}): string {
  return JSON.stringify({
    Level: 'RequestResponse',
    AuditID: auditId,
    Stage: 'ResponseComplete',
    Verb: 'create',
    Workspace: 'demo-ws',
    User: { username: 'admin' },
    ObjectRef: { Resource: 'services', Namespace: 'test', Name: 'web' },
    RequestReceivedTimestamp: '2026-05-01T10:00:00.123456Z',
    ...fields,
  });
}

/** A draining half of a gateway with its disk, and services that live on when it is opened again. */
export class TestGateway {
  readonly rule = new TestRule();
  readonly archive = new TestArchive();
  readonly alert = new TestAlert();
  readonly letters: NewDeadLetter[] = [];
  readonly probes = new ProbeTrails();
  readonly logged: Record<string, unknown>[] = [];
  registry = new Registry();
  spool!: Spool;
  pipeline!: Pipeline;
  #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  directory = '';

  constructor(
    /** The disk; undefined for the real one. */
    public files?: Files,
    public services?: PipelineServices,
  ) {}

  /** Opens what is on disk and lets it work. */
  async start(): Promise<void> {
    await this.open();
    this.run();
  }

  async open(): Promise<void> {
    if (this.directory === '') {
      this.directory = this.files ? '/data' : await mkdtemp(join(tmpdir(), 'gateway-'));
    }
    const disk = this.files ? { files: this.files } : {};
    this.registry = new Registry();
    this.#stopping = new AbortController();
    this.spool = await Spool.open({
      directory: join(this.directory, 'spool'),
      maxBytes: 2 ** 30,
      memoryBytes: 64 * 2 ** 20,
      ...disk,
    });
    this.pipeline = await openPipeline({
      spool: this.spool,
      directory: this.directory,
      services: this.services ?? {
        rule: this.rule,
        archive: this.archive,
        alert: this.alert,
        remote: false,
      },
      deadLetters: { add: (letter) => this.#bury(letter) },
      probes: this.probes,
      metrics: pipelineMetrics(this.registry),
      tracing: NO_TRACING,
      log: pino(
        { level: 'trace' },
        { write: (line) => this.logged.push(JSON.parse(line) as Record<string, unknown>) },
      ),
      ...disk,
    });
  }

  run(): void {
    watchOldest(this.registry, () => this.pipeline.oldestUs);
    this.#running = this.pipeline.run(this.#stopping.signal);
  }

  /** As after a SIGTERM. */
  async stop(): Promise<void> {
    this.halt();
    await this.#running;
    await this.pipeline.close();
    await this.spool.close();
  }

  /** Tells the loops to end, and waits for nothing. */
  halt(): void {
    this.#stopping.abort();
  }

  async remove(): Promise<void> {
    if (!this.files && this.directory !== '') {
      await rm(this.directory, { recursive: true, force: true });
    }
  }

  /** Spools a body, as receiving does. */
  async post(...events: readonly string[]): Promise<void> {
    const body = Buffer.from(`{"kind":"EventList","items":[${events.join(',')}]}`);
    await this.spool.put(await decodeBody(body), {
      receivedAtUs: Date.now() * 1_000,
      bodyHash: Buffer.alloc(32),
    });
  }

  /** The value of a counter. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    const metric = await this.registry.getSingleMetric(name)?.get();
    const fits = metric?.values.find(({ labels: own }) =>
      Object.entries(labels).every(([key, value]) => own[key] === value),
    );
    return fits?.value ?? 0;
  }

  #bury(letter: NewDeadLetter): Promise<boolean> {
    const isNew = !this.letters.some(({ data }) => data.equals(letter.data));
    if (isNew) this.letters.push(letter);
    return Promise.resolve(isNew);
  }
}

/** A busy machine may take long. */
const WAIT_MS = 60_000;

/** Waits until something holds; fails, saying what it was, after a minute. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>) {
  const deadline = Date.now() + WAIT_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
