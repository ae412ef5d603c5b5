import { join } from 'node:path';
import { namesIn, startFaultServer } from '../testing/fault-server';
import { opened, scratchFolder } from '../testing/opened';
import { ruleStub } from '../testing/rule-stub';
import { sampleAlert, sampleReceiver, sampleRequest } from '../testing/samples';
import { until } from '../testing/until';

const SIGNAL = new AbortController().signal;
const ALERTS = 12;

test('an instance that does not answer holds up nobody, and few requests wait for it', async () => {
  const scratch = scratchFolder();
  const [quick, slow] = [await startFaultServer(), await startFaultServer()];
  slow.behave = () => 'hang';
  const rule = ruleStub([sampleReceiver('alertmanager', `${quick.url},${slow.url}`)]);
  const service = await opened(join(scratch.path, 'data'), rule, {
    AUDITING_ALERT_TRY_TIMEOUT: '60s',
  });
  try {
    for (let sequence = 1; sequence <= ALERTS; sequence += 1) {
      const alert = sampleAlert(`pod-${sequence}`);
      await service.api.raise(sampleRequest(sequence, [alert]), SIGNAL);
      await until('it is taken', () => quick.taken.length === sequence);
    }
    expect(quick.taken.flatMap(namesIn)).toHaveLength(ALERTS);
    // Two connections: the others of the four that are under way wait for one.
    await until('two arrive', () => slow.posted.length === 2);
    const owed = await until('the others are owed', async () => {
      const { receivers } = await service.api.listReceivers({}, SIGNAL);
      return receivers[0]?.instances.find(({ owedCount }) => owedCount >= ALERTS - 4);
    });
    expect(owed).toMatchObject({ address: `${slow.url}/`, owedCount: ALERTS - 4 });
  } finally {
    await service.stop();
    await quick.close();
    await slow.close();
    scratch.remove();
  }
});
