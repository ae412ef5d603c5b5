import { join } from 'node:path';
import { AlertKind, DeliveryState } from '@auditing/proto/alert';
import { RaisedAlert } from '@auditing/proto/outbox';
import { describeWith } from '@auditing/service/testing/optional';
import { Silences } from './silences';
import { startAlertmanager, type Alertmanager } from './testing/alertmanager';
import { namesIn, startFaultServer, type FaultServer } from './testing/fault-server';
import { opened, scratchFolder, type Opened } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { ALL, outgoing, sampleAlert, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

jest.setTimeout(300_000);

const SIGNAL = new AbortController().signal;
const ALERT = outgoing(RaisedAlert.fromPartial({ alert: sampleAlert('web') }));

const matcher = (name: string, value: string, ...[isRegex = false, isEqual = true]: boolean[]) => ({
  ...{ name, value, isRegex, isEqual },
});

describe('a silence', () => {
  let nowMs = 1_000;
  const silences = new Silences({ hasTimeLabel: true, externalUrl: '' }, () => nowMs);
  const idsWith = (...matchers: ReturnType<typeof matcher>[]): string[] => {
    silences.read('am', [{ id: 's', startsAtMs: 0, endsAtMs: 100_000, matchers }]);
    return silences.of(ALERT);
  };
  beforeEach(() => (nowMs = 1_000));

  test.each([
    [[matcher('name', 'web')], true],
    [[matcher('name', 'we')], false],
    [[matcher('name', 'w.b', true)], true],
    [[matcher('name', 'w', true)], false],
    [[matcher('name', 'a|web', true)], true],
    [[matcher('name', 'web', false, false)], false],
    [[matcher('name', 'a.*', true, false)], true],
    [[matcher('absent', '')], true],
    [[matcher('absent', '.+', true)], false],
    [[matcher('name', 'web'), matcher('user', 'eve')], false],
    [[matcher('name', 'web'), matcher('user', 'admin')], true],
    [[matcher('name', '(', true)], false],
    [[], false],
  ])('with %j is over an alert as Alertmanager has it: %p', (matchers, isOver) => {
    expect(idsWith(...matchers)).toEqual(isOver ? ['s'] : []);
  });

  test('counts from its start to its end, and for a minute after it was read', () => {
    const web = [matcher('name', 'web')];
    silences.read('am', [{ id: 's', startsAtMs: 2_000, endsAtMs: 3_000, matchers: web }]);
    const idsAt = (ms: number) => ((nowMs = ms), silences.of(ALERT));
    expect([1_999, 2_000, 2_999, 3_000].map(idsAt)).toEqual([[], ['s'], ['s'], []]);
    nowMs = 0;
    expect(idsWith(...web)).toEqual(['s']);
    expect(idsAt(60_000)).toEqual(['s']);
    expect(idsAt(60_001)).toEqual([]);
  });

  test('is over no heartbeat and no probe: their absence is the news', () => {
    idsWith(matcher('alertname', '.*', true));
    expect(silences.of(ALERT)).toEqual(['s']);
    expect(silences.of({ ...ALERT, kind: AlertKind.HEARTBEAT })).toEqual([]);
    expect(silences.of({ ...ALERT, kind: AlertKind.PROBE })).toEqual([]);
  });
});

describeWith('prometheus-alertmanager', 'receivers beside an Alertmanager', () => {
  const scratch = scratchFolder();
  let alertmanager: Alertmanager;
  let webhook: FaultServer;
  let service: Opened;

  beforeAll(async () => {
    alertmanager = await startAlertmanager(join(scratch.path, 'alertmanager'));
    webhook = await startFaultServer();
    await open();
  });
  afterAll(async () => {
    await service.stop();
    await webhook.close();
    await alertmanager.stop();
    scratch.remove();
  });

  const open = async (): Promise<void> => {
    const rule = ruleStub([
      sampleReceiver('alertmanager', alertmanager.url),
      sampleReceiver('webhook', webhook.url),
    ]);
    service = await opened(join(scratch.path, 'data'), rule, {
      AUDITING_ALERT_SKIP_SILENCED: 'true',
      AUDITING_ALERT_GROUP_WINDOW: '2s',
    });
  };
  const silence = async (): Promise<string> => {
    const response = await fetch(`${alertmanager.url}/api/v2/silences`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        matchers: [{ name: 'name', value: 'quiet.*', isRegex: true, isEqual: true }],
        startsAt: new Date().toISOString(),
        endsAt: new Date(Date.now() + 600_000).toISOString(),
        createdBy: 'test',
        comment: 'test',
      }),
    });
    return ((await response.json()) as { silenceID: string }).silenceID;
  };
  const deliveriesOf = async (name: string) => {
    const { alerts } = await service.api.list({ ...ALL, name }, SIGNAL);
    return alerts.at(-1)?.deliveries ?? [];
  };

  test('are spared what it silences, which is listed as that; its end is noticed', async () => {
    const silenceID = await silence();
    let sequence = 0;
    const raise = async (name: string): Promise<DeliveryState[]> => {
      sequence += 1;
      await service.api.raise(sampleRequest(sequence, [sampleAlert(name)]), SIGNAL);
      return until('it is over', async () => {
        const states = (await deliveriesOf(name)).map(({ state }) => state);
        return !states.includes(DeliveryState.PENDING) && states;
      });
    };
    // Until the silence has been read.
    const quiet = await until('one is silenced', async () => {
      const name = `quiet-${sequence}`;
      return (await raise(name))[1] === DeliveryState.SILENCED && name;
    });
    const [first, second] = await deliveriesOf(quiet);
    expect(first).toMatchObject({ receiver: 'alertmanager', state: DeliveryState.DELIVERED });
    expect(second).toMatchObject({ silencedBy: [silenceID], attemptCount: 0 });
    expect(await raise('loud')).toEqual([DeliveryState.DELIVERED, DeliveryState.DELIVERED]);
    const told = () => webhook.taken.flatMap(namesIn);
    expect(told()).toContain('loud');
    expect(told()).not.toContain(quiet);
    const metrics = await service.runtime.metrics.metrics();
    expect(metrics).toMatch(
      /auditing_alert_deliveries_total\{receiver="webhook",outcome="silenced"\} [1-9]/,
    );
    await service.stop();
    await open();
    expect((await deliveriesOf(quiet))[1]).toMatchObject({
      state: DeliveryState.SILENCED,
      silencedBy: [silenceID],
    });
    await fetch(`${alertmanager.url}/api/v2/silence/${silenceID}`, { method: 'DELETE' });
    await until('one is told again', async () => {
      return (await raise(`quiet-again-${sequence}`))[1] === DeliveryState.DELIVERED;
    });
  });
});
