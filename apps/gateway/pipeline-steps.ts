import { join } from 'node:path';
import { openCursor } from '@auditing/journal/cursor';
import type { Files } from '@auditing/journal/files';
import { nodeFiles } from '@auditing/journal/node-files';
import type { Tracing } from '@auditing/service/tracing';
import type { DrainCursor } from '@auditing/proto/spool';
import type { Logger } from 'pino';
import { Attempts, unguarded, type Guard } from './attempts';
import { AttemptsFile } from './attempts-file';
import { openBurial } from './burial';
import { alertConsumer, archiveConsumer } from './consumers';
import type { DeadLetters } from './dead-letters';
import { Deciding } from './deciding';
import { openDecisions, type Decisions } from './decisions';
import { Drain } from './drain';
import { openPeer, type Peer, type PeerName } from './peer';
import type { PipelineMetrics } from './pipeline-metrics';
import type { ProbeTrails } from './probe-trails';
import { serviceCalls, type PipelineServices } from './service-calls';
import { openSettingsWatch, type SettingsWatch } from './settings-watch';
import type { Spool } from './spool';

/** What the pipeline works with. */
export interface PipelineOptions {
  readonly spool: Spool;
  /** Folder of the decisions, the cursors and the last settings. */
  readonly directory: string;
  readonly services: PipelineServices;
  readonly deadLetters: Pick<DeadLetters, 'add'>;
  /** Told how far probes are. */
  readonly probes: ProbeTrails;
  readonly metrics: PipelineMetrics;
  readonly tracing: Tracing;
  readonly log: Logger;
  /** File operations; the real ones unless a test gives others. */
  readonly files?: Files;
}

/** The steps of the pipeline, each where its last run left it. */
export interface PipelineSteps {
  readonly settings: SettingsWatch;
  readonly peers: Readonly<Record<PeerName, Peer>>;
  readonly decisions: Decisions;
  readonly deciding: Deciding;
  readonly archive: Drain;
  readonly alert: Drain;
  readonly close: () => Promise<void>;
}

/** Opens the steps. */
export async function openSteps(options: PipelineOptions): Promise<PipelineSteps> {
  const { directory, services, log, spool, files = nodeFiles } = options;
  const open = (name: string) => openCursor(files, join(directory, name));
  const path = join(directory, 'settings');
  const settings = await openSettingsWatch({ rule: services.rule, files, path, log });
  const decisions = await openDecisions(join(directory, 'decisions'), files);
  const calls = serviceCalls(services);
  const attempts = new Attempts(await AttemptsFile.open(files, join(directory, 'attempts')), spool);
  const guardRead: Guard = (risky, step) => attempts.guard(risky, step);
  const guardCall = services.remote ? unguarded : guardRead;
  const burial = openBurial(options);
  const peers = {
    rule: openPeer('rule', options),
    archive: openPeer('archive', options),
    alert: openPeer('alert', options),
  };
  const decider = { ...calls, settings, rule: peers.rule, burial, guardRead, guardCall };
  const means = { burial, guard: guardCall };
  const toArchive = archiveConsumer(calls, { peer: peers.archive, ...means });
  const { probes } = options;
  const toAlert = alertConsumer(calls, { peer: peers.alert, probes, ...means });
  const drained = {
    ...options,
    decisions,
    burial,
    guard: guardRead,
    onPassed: () => release(),
    onSaved: () => trim(),
  };
  const archive = new Drain(toArchive, { ...drained, cursor: await open('archive.cursor') });
  const alert = new Drain(toAlert, { ...drained, cursor: await open('alert.cursor') });
  const release = (): void => releaseBehind([archive, alert], spool, decisions);
  const trim = (): Promise<void> => trimBehind([archive, alert], spool, decisions);
  return {
    settings,
    peers,
    decisions,
    deciding: new Deciding({ ...options, decisions, decider }),
    archive,
    alert,
    async close() {
      calls.close();
      await decisions.close();
      await attempts.close();
    },
  };
}

/** In memory, spool and decisions are kept as long as one of the consumers has still to come. */
function releaseBehind(drains: readonly Drain[], spool: Spool, decisions: Decisions): void {
  const behind = lastOf(drains.map(({ progress }) => progress));
  spool.release(Number(behind.spoolPosition));
  decisions.release(Number(behind.nextDecision));
}

/** On disk, as long as one of them might come again after a crash. */
async function trimBehind(
  drains: readonly Drain[],
  spool: Spool,
  decisions: Decisions,
): Promise<void> {
  const behind = lastOf(drains.map(({ saved }) => saved));
  await spool.trim(Number(behind.spoolPosition));
  // The last decision stays: it says where deciding goes on.
  await decisions.trim(Number(behind.lastDecision));
}

/** The progress of the one that is behind all others. */
function lastOf(progress: readonly DrainCursor[]): DrainCursor {
  return progress.reduce((one, other) => (one.nextDecision <= other.nextDecision ? one : other));
}
