import { join } from 'node:path';
import { HopStep } from '@auditing/proto/alert';
import { startFaultServer, type FaultServer } from '../testing/fault-server';
import { opened, scratchFolder } from '../testing/opened';
import { ruleStub } from '../testing/rule-stub';
import { ALL, sampleAlert, sampleReceiver, sampleRequest } from '../testing/samples';
import { until } from '../testing/until';
import { blockedAddresses } from './blocked-addresses';

const SIGNAL = new AbortController().signal;
const DEFAULT = '169.254.0.0/16, fe80::/10';

test.each([
  ['169.254.169.254', true],
  ['::ffff:169.254.169.254', true],
  ['fe80::1', true],
  ['10.0.0.1', false],
  ['fd00::1', false],
  ['alertmanager', false],
])('%s is in the networks that are blocked by default: %p', (address, isBlocked) => {
  expect(blockedAddresses.parse(DEFAULT).has(address)).toBe(isBlocked);
});

test.each(['nonsense', '10.0.0.0', '10.0.0.0/99', '10.0.0.0/8 fd00::/8'])(
  'refuses %j',
  (networks) => {
    expect(() => blockedAddresses.parse(networks)).toThrow();
  },
);

describe('a receiver in a blocked network', () => {
  const scratch = scratchFolder();
  let server: FaultServer;
  beforeEach(async () => {
    server = await startFaultServer();
  });
  afterEach(() => server.close());
  afterAll(() => scratch.remove());

  test.each([
    ['webhook', '127.0.0.1'],
    ['webhook', 'localhost'],
    ['alertmanager', '127.0.0.1'],
    ['alertmanager', 'localhost'],
    ['webhook', '2130706433'],
  ])('%s at %s is never connected to, and says why', async (type, host) => {
    const rule = ruleStub([sampleReceiver(type, server.url.replace('127.0.0.1', host))]);
    const service = await opened(join(scratch.path, `${type}-${host}`), rule, {
      AUDITING_ALERT_BLOCKED_ADDRESSES: '127.0.0.0/8, ::1/128',
    });
    try {
      await service.api.raise(sampleRequest(1, [sampleAlert('web')]), SIGNAL);
      const error = await until('a try failed', async () => {
        const { alerts } = await service.api.list(ALL, SIGNAL);
        return alerts[0]?.deliveries[0]?.lastError || false;
      });
      expect(error).toContain('has an address that AUDITING_ALERT_BLOCKED_ADDRESSES blocks');
      const { hops } = await service.api.testReceiver({ receiver: type }, SIGNAL);
      expect(hops.at(-1)).toMatchObject({ step: HopStep.RESOLVE, ok: false });
      expect(server.posted).toEqual([]);
    } finally {
      await service.stop();
    }
  });
});
