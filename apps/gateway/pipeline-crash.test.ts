import { faultyDisk } from '@auditing/journal/faulty-files';
import { event, eventually, TestGateway } from './testing/gateway';

/** More changes of the disk than posting, deciding and delivering a few bodies takes. */
const STEPS = 60;

describe('power cuts', () => {
  test.each(Array.from({ length: STEPS }, (_, step) => step + 1))(
    'at change %i: what was taken is archived exactly once and its alert raised once',
    async (step) => {
      const disk = faultyDisk(step);
      const gateway = new TestGateway(disk.files);
      const taken: string[] = [];
      const post = async (id: string): Promise<void> => {
        const text = event(id, { verb: 'create' });
        await gateway.post(text);
        taken.push(text);
      };
      await gateway.start();
      disk.cutPowerAt(step);
      for (let index = 0; index < 6; index += 1) {
        await post(`before-${index}`).catch(() => undefined);
      }
      await pause(20);
      disk.crash();
      await gateway.stop().catch(() => undefined);

      // Whatever the rules say now, what was decided before counts.
      gateway.files = disk.files;
      await gateway.start();
      await post('after');
      await eventually('all taken events are stored', () =>
        taken.every((one) => gateway.archive.stored.includes(one)),
      );
      await eventually('an alert is raised for each', () =>
        taken.every((one) => gateway.alert.raised.some(isAbout(one))),
      );
      await gateway.stop();
      expect(new Set(gateway.archive.stored).size).toBe(gateway.archive.stored.length);
      const alerts = gateway.alert.raised.map((alert) => alert.event?.auditId);
      expect(new Set(alerts).size).toBe(alerts.length);
      expect(gateway.letters).toHaveLength(0);
    },
  );
});

function isAbout(text: string) {
  return (alert: { readonly event?: { readonly auditId: string } | undefined }): boolean =>
    text.includes(`"${alert.event?.auditId ?? '?'}"`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
