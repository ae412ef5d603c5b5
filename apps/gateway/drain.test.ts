import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { event, eventually, TestGateway } from './testing/gateway';
import { unavailable } from './testing/services';

let gateway: TestGateway;

beforeEach(() => {
  gateway = new TestGateway();
});

afterEach(async () => {
  await gateway.stop();
  await gateway.remove();
});

const created = (id: string) => event(id, { verb: 'create' });

test('the spool is trimmed at the lower of the two cursors', async () => {
  await gateway.open();
  const trimmed: number[] = [];
  const trim = gateway.spool.trim.bind(gateway.spool);
  gateway.spool.trim = (position) => {
    trimmed.push(position);
    return trim(position);
  };
  gateway.alert.fault = ({ alerts }) => {
    if (alerts.some((alert) => alert.event?.auditId === 'late')) unavailable();
  };
  gateway.run();
  await gateway.post(created('a'));
  await eventually('the first is trimmed away', () => trimmed.includes(gateway.spool.end));
  const before = gateway.spool.end;
  await gateway.post(created('late'));
  await gateway.post(created('c'));
  await eventually('all are archived', () => gateway.archive.stored.length === 3);
  await eventually('its cursor is saved', () => trimmed.length > 2);
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(Math.max(...trimmed)).toBe(before);
  gateway.alert.fault = () => undefined;
  await eventually('all is trimmed away', () => trimmed.includes(gateway.spool.end));
});

test('a stop ends at the end of a part, and nothing is sent twice after it', async () => {
  await gateway.start();
  for (let index = 0; index < 30; index += 1) await gateway.post(created(`id-${index}`));
  await eventually('some are stored', () => gateway.archive.stored.length > 5);
  await gateway.stop();
  await gateway.start();
  await eventually('all are stored', () => gateway.archive.stored.length === 30);
  await eventually('all are raised', () => gateway.alert.raised.length === 30);
  const sequences = gateway.archive.requests.map(({ kept }) => kept?.batch?.id?.sequence);
  expect(new Set(sequences).size).toBe(sequences.length);
});

test('a spool that somebody took away is said aloud, and what comes after it is archived', async () => {
  gateway.archive.fault = unavailable;
  await gateway.start();
  await gateway.post(created('lost'));
  await eventually('it is decided', () => gateway.alert.raised.length === 1);
  await gateway.stop();
  await rm(join(gateway.directory, 'spool'), { recursive: true });
  gateway.archive.fault = () => undefined;
  await gateway.start();
  await gateway.post(created('new'));
  await eventually('the new one is stored', () => gateway.archive.stored.length === 1);
  expect(gateway.archive.stored).toEqual([created('new')]);
  const messages = gateway.logged.map(({ msg }) => msg);
  expect(messages).toContain('a decided part is not in the spool: its events are lost');
  expect(await gateway.metric('auditing_gateway_lost_parts_total')).toBe(1);
});

test('decisions that somebody took away are made again, and the archive stores nothing twice', async () => {
  await gateway.start();
  await gateway.post(created('a'));
  await eventually('it is stored', () => gateway.archive.stored.length === 1);
  await eventually('it is raised', () => gateway.alert.raised.length === 1);
  await gateway.stop();
  await rm(join(gateway.directory, 'decisions'), { recursive: true });
  await gateway.start();
  await gateway.post(created('b'));
  await eventually('the new one is stored', () => gateway.archive.stored.length === 2);
  await eventually('its alert is raised', () => gateway.alert.raised.length === 2);
  expect(gateway.archive.stored).toEqual([created('a'), created('b')]);
});
