import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openAlert } from '@auditing/alert/service';
import { SETTINGS as ALERT_SETTINGS, type AlertConfig } from '@auditing/alert/config';
import type { ArchiveApis } from '@auditing/archive/archive-service';
import { openArchive } from '@auditing/archive/service';
import { SETTINGS as ARCHIVE_SETTINGS, type ArchiveConfig } from '@auditing/archive/config';
import { openGateway } from '@auditing/gateway/service';
import { SETTINGS as GATEWAY_SETTINGS, type GatewayConfig } from '@auditing/gateway/config';
import { faultyDisk, type FaultyDisk } from '@auditing/journal/faulty-files';
import type { Files } from '@auditing/journal/files';
import { SearchRequest } from '@auditing/proto/archive';
import { openRule } from '@auditing/rule/service';
import { SETTINGS as RULE_SETTINGS, type RuleConfig } from '@auditing/rule/config';
import { readSettings } from '@auditing/service/settings';
import { testRuntime, type TestRuntime } from '@auditing/service/testing/runtime';
import { differences, NO_DIFFERENCES } from './archive-reader';
import { keptEvents, recordedBodies, SAMPLES_FOLDER, variant, type RecordedBody } from './corpus';
import { send } from './post';
import { scratchFolder } from './processes';

jest.setTimeout(300_000);

/** How often the power goes off, for each seed. */
const POWER_CUTS = 20;
/** Changes of the disk until it goes off: from the middle of a spool write to well into the archive's. */
const CHANGES_MAX = 60;

const samples = recordedBodies(SAMPLES_FOLDER);

test.each([1, 2, 3])(
  'a disk that loses whatever was not synced loses no event that was answered 200 (seed %i)',
  async (seed) => {
    const scratch = scratchFolder();
    const disk = faultyDisk(seed);
    const acknowledged: RecordedBody[] = [];
    const posted: RecordedBody[] = [];
    for (let cut = 0; cut < POWER_CUTS; cut += 1) {
      const bodies = variant(samples, cut);
      posted.push(...bodies);
      acknowledged.push(...(await untilPowerFails(disk, bodies, { folder: scratch.path, cut })));
    }
    const system = await open(disk.files, scratch.path);
    // What was under way at the last cut is archived now; then nothing more comes.
    await quiet(system);
    const found = await archived(system.archive);
    await system.runtime.stop();
    scratch.remove();

    expect(acknowledged.length).toBeGreaterThan(POWER_CUTS);
    expect(acknowledged.length).toBeLessThan(posted.length);
    const all = differences(found, keptEvents(posted));
    expect(all).toEqual({ ...NO_DIFFERENCES, missing: all.missing });
    const promised = differences(found, keptEvents(acknowledged));
    expect(promised.missing).toEqual([]);
  },
);

interface System {
  readonly runtime: TestRuntime;
  readonly url: string;
  readonly archive: ArchiveApis['api'];
}

/** All services in this process, on a disk that can fail; only certificates and rules are on a real one. */
async function open(files: Files, folder: string): Promise<System> {
  const runtime = testRuntime();
  mkdirSync(join(folder, 'data/gateway'), { recursive: true });
  const env = {
    AUDITING_DATA_DIR: join(folder, 'data'),
    AUDITING_CONFIG_DIR: join(__dirname, '../config'),
    AUDITING_RETENTION_BYTES: '1GiB',
    AUDITING_WEBHOOK_HOST: '127.0.0.1',
    AUDITING_WEBHOOK_PORT: '0',
    AUDITING_WEBHOOK_TLS: 'off',
    AUDITING_API_PORT: '0',
  };
  const rule = await openRule({ ...runtime, config: readSettings<RuleConfig>(RULE_SETTINGS, env) });
  const archive = await openArchive(
    { ...runtime, config: readSettings<ArchiveConfig>(ARCHIVE_SETTINGS, env) },
    files,
  );
  const alert = await openAlert(
    { ...runtime, config: readSettings<AlertConfig>(ALERT_SETTINGS, env) },
    { rule: rule.api, files },
  );
  const gateway = await openGateway(
    { ...runtime, config: readSettings<GatewayConfig>(GATEWAY_SETTINGS, env) },
    { rule: rule.api, archive: archive.api, alert: alert.api, files },
  );
  return { runtime, url: gateway.addresses.webhook, archive: archive.api };
}

/** Posts bodies until the power fails; gives those that were answered 200. */
async function untilPowerFails(
  disk: FaultyDisk,
  bodies: readonly RecordedBody[],
  { folder, cut }: { folder: string; cut: number },
): Promise<RecordedBody[]> {
  const system = await open(disk.files, folder);
  const acknowledged: RecordedBody[] = [];
  disk.cutPowerAt(1 + ((cut * 7) % CHANGES_MAX));
  for (const body of bodies) {
    // Once: a disk without power says 503 for good.
    const request = { method: 'POST', headers: {} };
    const answer = await send(system.url, body.body, request).catch(() => undefined);
    if (answer?.status === 200) acknowledged.push(body);
    if (!disk.isPowered) break;
  }
  // The process that stood on this disk is dead: whatever it still tries must not matter.
  disk.crash();
  await system.runtime.stop();
  return acknowledged;
}

/** Waits until the gateway has nothing left to bring to the archive. */
async function quiet({ runtime }: System): Promise<void> {
  const valueOf = async (name: string): Promise<number> => {
    const metric = await runtime.metrics.getSingleMetric(name)?.get();
    return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
  };
  for (let idlePolls = 0; idlePolls < 5;) {
    await once(AbortSignal.timeout(100), 'abort');
    const oldest = await valueOf('auditing_gateway_oldest_unarchived_seconds');
    const inFlight = await valueOf('auditing_gateway_batches_in_flight');
    idlePolls = oldest === 0 && inFlight === 0 ? idlePolls + 1 : 0;
  }
}

async function archived(archive: System['archive']): Promise<Map<string, Buffer[]>> {
  const found = new Map<string, Buffer[]>();
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const request = SearchRequest.fromPartial({ limit: 10_000, includeRaw: true, cursor });
    cursor = undefined;
    for await (const part of archive.search(request, new AbortController().signal)) {
      for (const { key, raw } of part.events) {
        const id = key.toString('hex');
        found.set(id, [...(found.get(id) ?? []), raw]);
      }
      if (part.nextCursor !== '') cursor = part.nextCursor;
    }
  }
  return found;
}
