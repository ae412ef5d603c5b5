import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DeliveryState, ListRequest, type Alert, type AlertStatus } from '@auditing/proto/alert';
import { AuditEvent } from '@auditing/proto/event';
import { RuleServiceService } from '@auditing/proto/rule';
import { admitAll } from '@auditing/service/testing/admit-all';
import { serveGrpc } from '@auditing/service/grpc-server';
import { grpcService } from '@auditing/service/grpc-service';
import { INSECURE } from '@auditing/service/grpc-tls';
import { testRuntime } from '@auditing/service/testing/runtime';
import { buildAlert, type AlertProcess, type StartAlert } from './testing/alert-process';
import { namesIn, startFaultServer, type FaultServer, type Posted } from './testing/fault-server';
import { scratchFolder } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { sampleAlert, sampleAlerts, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

jest.setTimeout(180_000);

const KILLS = 8;
const ALERTS_PER_BATCH = 5;
const { signal: SIGNAL } = new AbortController();

describe('kill -9 of the process', () => {
  const scratch = scratchFolder();
  const runtime = testRuntime();
  const rule = ruleStub([]);
  let start: StartAlert;
  let webhook: FaultServer;
  let alertmanager: FaultServer;
  let ruleAddress: string;
  let running: AlertProcess | undefined;

  beforeAll(async () => {
    start = await buildAlert(scratch.path);
    ruleAddress = await serveGrpc(runtime, {
      listen: '127.0.0.1:0',
      credentials: INSECURE,
      services: [grpcService(RuleServiceService, rule.api)],
      maxConnectionAgeMs: 0,
      admit: admitAll,
    });
  });
  beforeEach(async () => {
    webhook = await startFaultServer();
    alertmanager = await startFaultServer();
  });
  afterEach(async () => {
    await running?.kill();
    await webhook.close();
    await alertmanager.close();
  });
  afterAll(async () => {
    await runtime.stop();
    scratch.remove();
  });

  /** Raises batches while the process is killed again and again; gives all that was taken in the end. */
  const raiseAndKill = async (
    env: Readonly<Record<string, string>>,
    batch: (sequence: number) => Alert[],
  ): Promise<Alert[]> => {
    const all = { AUDITING_RULE_ADDRESS: ruleAddress, ...env };
    const taken: Alert[] = [];
    let sequence = 0;
    // What was not answered is sent again to the next process, as the gateway does.
    const raiseNext = async ({ client }: AlertProcess): Promise<boolean> => {
      const alerts = batch(sequence);
      const isTaken = await client.api.raise(sampleRequest(sequence + 1, alerts), SIGNAL).then(
        () => true,
        () => false,
      );
      if (isTaken) {
        taken.push(...alerts);
        sequence += 1;
      }
      return isTaken;
    };
    for (let kill = 0; kill < KILLS; kill += 1) {
      const victim = (running = await start(all));
      const killing = new AbortController();
      const killed = sleep(300 + kill * 50).then(async () => {
        await victim.kill();
        killing.abort();
      });
      while (!killing.signal.aborted) {
        await raiseNext(victim);
        await sleep(5);
      }
      await killed;
    }
    const last = (running = await start(all));
    await until('the last batch is taken', () => raiseNext(last));
    return taken;
  };

  const listed = async (): Promise<AlertStatus[]> => {
    const found: AlertStatus[] = [];
    for (let cursor = ''; ;) {
      const request = ListRequest.fromPartial({ limit: 1_000, cursor });
      const page = await running!.client.api.list(request, SIGNAL);
      found.push(...page.alerts);
      cursor = page.nextCursor;
      if (cursor === '') return found;
    }
  };
  const allDelivered = async (): Promise<boolean> =>
    (await listed()).every(({ deliveries }) =>
      deliveries.every(({ state }) => state === DeliveryState.DELIVERED),
    );

  test('loses no alert that was taken, and sends none under two ids', async () => {
    rule.use([sampleReceiver('webhook', webhook.url)]);
    // Some requests stay without an answer, so that most kills hit one under way.
    webhook.behave = () => (webhook.posted.length % 7 === 0 ? 'hang' : { status: 200 });
    const env = {
      AUDITING_DATA_DIR: join(scratch.path, 'alone'),
      AUDITING_ALERT_RATE: '0',
    };
    const taken = await raiseAndKill(env, (sequence) =>
      sampleAlerts(`batch-${sequence}`, ALERTS_PER_BATCH),
    );
    webhook.behave = () => ({ status: 200 });
    await until('everything is delivered', allDelivered);
    const delivered = new Set(webhook.taken.flatMap(namesIn));
    const names = taken.map(({ event }) => event?.objectRef?.name ?? '');
    expect(names.length).toBeGreaterThan(KILLS * ALERTS_PER_BATCH);
    expect(names.filter((name) => !delivered.has(name))).toEqual([]);
    const idsOf = new Map<string, Set<unknown>>();
    for (const posted of webhook.posted) {
      const [name = ''] = namesIn(posted);
      const ids = idsOf.get(name) ?? new Set();
      idsOf.set(name, ids.add(posted.headers['auditing-delivery-id']));
    }
    expect([...idsOf.values()].every((ids) => ids.size === 1)).toBe(true);
  });

  test('with open groups and digests: each alert is told of once, under one fingerprint', async () => {
    rule.use([
      sampleReceiver('webhook', webhook.url),
      sampleReceiver('alertmanager', alertmanager.url),
    ]);
    for (const server of [webhook, alertmanager]) {
      server.behave = () => (server.posted.length % 9 === 0 ? 'hang' : { status: 200 });
    }
    const env = {
      AUDITING_DATA_DIR: join(scratch.path, 'grouped'),
      AUDITING_ALERT_GROUP_WINDOW: '700ms',
      AUDITING_ALERT_RATE: '60',
      AUDITING_ALERT_BURST: '5',
      AUDITING_ALERT_DIGEST_INTERVAL: '300ms',
      AUDITING_ALERT_TRY_TIMEOUT: '1s',
    };
    const taken = await raiseAndKill(env, groupedBatch);
    for (const server of [webhook, alertmanager]) server.behave = () => ({ status: 200 });
    for (const rules of [REPEATED, FLOOD]) {
      const count = taken.filter((one) => one.rule === rules).length;
      for (const server of [webhook, alertmanager]) {
        await until(`${count} of ${rules} are told`, () => toldOf(server.taken, rules) >= count);
      }
    }
    await until('everything is delivered', allDelivered);
    for (const server of [webhook, alertmanager]) {
      for (const rules of [REPEATED, FLOOD]) {
        const count = taken.filter((one) => one.rule === rules).length;
        expect(toldOf(server.taken, rules)).toBe(count);
      }
      const all = server.taken.flatMap(alertsIn);
      const isDigest = ({ labels }: Told): boolean => labels['digest'] === 'true';
      expect(all.some(isDigest)).toBe(true);
      expect(all.some((one) => !isDigest(one) && Number(one.annotations['count']) > 1)).toBe(true);
      for (const labels of labelsByAlert(server.posted).values()) expect(labels.size).toBe(1);
    }
  });
});

const REPEATED = 'alerting-rule.Repeated';
const FLOOD = 'alerting-rule.Flood';

/** Some alerts of objects that come again in each batch, and some of objects that do not. */
function groupedBatch(sequence: number): Alert[] {
  const at = (name: string, place: number): Partial<Alert> => {
    const alert = sampleAlert(name);
    const identity = `${sequence}/${place}`;
    const event = AuditEvent.fromPartial({
      ...alert.event,
      key: createHash('sha256').update(identity).digest(),
      auditId: identity,
      requestReceivedTimestamp: { seconds: 1_732_381_067n + BigInt(sequence), nanos: place },
    });
    return { event };
  };
  return [0, 1, 2, 3, 4, 5].map((place) => {
    const isRepeated = place < 3;
    const name = isRepeated ? `web-${place}` : `flood-${sequence}-${place}`;
    return sampleAlert(name, {
      rule: isRepeated ? REPEATED : FLOOD,
      ...at(name, place),
    });
  });
}

interface Told {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

function alertsIn({ body }: Posted): readonly Told[] {
  return (Array.isArray(body) ? body : (body as { alerts: Told[] }).alerts) as readonly Told[];
}

/** What an alert is, whatever it was sent as: the first event of its group, or those of its digest. */
function identityOf({ annotations }: Told): string {
  return `${annotations['rule']} ${annotations['eventKey'] ?? annotations['eventKeys']}`;
}

/** How many alerts of a rule a receiver knows of: the last count of each group, and those of the digests. */
function toldOf(posted: readonly Posted[], rule: string): number {
  const counts = new Map<string, number>();
  for (const one of posted.flatMap(alertsIn)) {
    if (one.annotations['rule'] !== rule) continue;
    const count = Number(one.annotations['count']);
    counts.set(identityOf(one), Math.max(count, counts.get(identityOf(one)) ?? 0));
  }
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

/** Label sets under which each alert was sent: Alertmanager knows it by these. */
function labelsByAlert(posted: readonly Posted[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const one of posted.flatMap(alertsIn)) {
    const labels = found.get(identityOf(one)) ?? new Set();
    found.set(identityOf(one), labels.add(JSON.stringify(Object.entries(one.labels).sort())));
  }
  return found;
}
