import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import {
  DeliveryState,
  ListRequest,
  type AlertStatus,
  type RaiseRequest,
} from '@auditing/proto/alert';
import { queue } from '@auditing/service/queue';
import { RpcError } from '@auditing/service/rpc-error';
import { startFaultServer, type FaultServer } from './testing/fault-server';
import { opened, scratchFolder, type Opened } from './testing/opened';
import { ruleStub } from './testing/rule-stub';
import { sampleAlert, sampleAlerts, sampleReceiver, sampleRequest } from './testing/samples';
import { until } from './testing/until';

const SIGNAL = new AbortController().signal;

describe('alert service', () => {
  const scratch = scratchFolder();
  let server: FaultServer;
  let service: Opened;
  let folders = 0;

  beforeEach(async () => {
    server = await startFaultServer();
    folders += 1;
    const rule = ruleStub([sampleReceiver('webhook', server.url)]);
    service = await opened(join(scratch.path, String(folders)), rule);
  });
  afterEach(async () => {
    await service.stop();
    await server.close();
  });
  afterAll(() => scratch.remove());

  test('lists alerts newest first, of one rule if asked, as many as asked', async () => {
    const other = sampleAlert('other', { rule: 'alerting-rule.ResourceChange' });
    await service.api.raise(sampleRequest(1, [...sampleAlerts('pod', 3), other]), SIGNAL);
    const names = async (rule: string, limit: number): Promise<(string | undefined)[]> =>
      (await service.api.list(ListRequest.fromPartial({ rule, limit }), SIGNAL)).alerts.map(
        ({ alert }) => alert?.event?.objectRef?.name,
      );
    expect(await names('', 0)).toEqual(['other', 'pod-2', 'pod-1', 'pod-0']);
    expect(await names('', 2)).toEqual(['other', 'pod-2']);
    expect(await names('alerting-rule.AttachOrExecPod', 1)).toEqual(['pod-2']);
    await expect(names('', 1_001)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  test('sends alerts as they are raised and as their delivery changes', async () => {
    const seen: AlertStatus[] = [];
    const ending = new AbortController();
    const watching = (async () => {
      for await (const one of service.api.watch({ rule: '' }, ending.signal)) seen.push(one);
    })();
    let isUp = false;
    server.behave = () => (isUp ? { status: 200 } : { status: 500, text: 'away' });
    await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
    await until('a failure is seen', () => seen.some(({ deliveries }) => deliveries[0]?.lastError));
    isUp = true;
    await until('its delivery is seen', () =>
      seen.some(({ deliveries }) => deliveries[0]?.state === DeliveryState.DELIVERED),
    );
    expect(seen[0]).toMatchObject({
      alert: { message: 'admin exec Pod web in Namespace default.' },
    });
    expect(seen.at(-1)?.deliveries[0]?.deliveredAt).toBeDefined();
    ending.abort();
    await expect(watching).rejects.toMatchObject({ code: status.CANCELLED });
  });

  test('ends a watch that is read too slowly', async () => {
    const watched = service.api.watch({ rule: '' }, SIGNAL)[Symbol.asyncIterator]();
    const first = watched.next();
    await service.api.raise(sampleRequest(1, sampleAlerts('a', 1)), SIGNAL);
    await first;
    server.behave = () => 'hang';
    await service.api.raise(sampleRequest(2, sampleAlerts('b', 10_001)), SIGNAL);
    await expect(watched.next()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  test('answers on a stream each request by its call, the bad ones with an error', async () => {
    const requests = queue<RaiseRequest>();
    const answers = service.api.raiseStream(requests, SIGNAL);
    requests.push({ ...sampleRequest(1, sampleAlerts('pod', 2)), call: 7 });
    requests.push({ ...sampleRequest(2, [sampleAlert('bad', { event: undefined })]), call: 8 });
    requests.push({ ...sampleRequest(1, sampleAlerts('pod', 2)), call: 9 });
    requests.end();
    const byCall = new Map<number, unknown>();
    for await (const answer of answers) byCall.set(answer.call, answer);
    expect(byCall.get(7)).toMatchObject({ raisedCount: 2, duplicateCount: 0, error: undefined });
    expect(byCall.get(8)).toMatchObject({ error: { code: status.INVALID_ARGUMENT } });
    expect(byCall.get(9)).toMatchObject({ raisedCount: 0, duplicateCount: 2 });
  });

  test.each([
    [{ id: undefined }, 'id.epoch'],
    [{ alerts: [sampleAlert('a'), sampleAlert('b', { rule: '' })] }, 'alerts[1].rule'],
    [{ alerts: [sampleAlert('a', { event: undefined })] }, 'alerts[0].event.key'],
  ])('refuses for good what is not well-formed, and says where: %j', async (fields, where) => {
    const request = { ...sampleRequest(1, []), ...fields };
    const error: unknown = await service.api.raise(request, SIGNAL).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect((error as RpcError).message).toContain(where);
  });
});
