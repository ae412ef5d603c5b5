import { archivedEvents, differences, NO_DIFFERENCES, settledArchive } from './archive-reader';
import { keptEvents, recordedBodies } from './corpus';
import { drained, metric } from './metrics';
import { eachAtOnce, post } from './post';
import { scratchFolder } from './processes';
import { startServices, startStandalone, type Stack } from './stack';

jest.setTimeout(180_000);

const bodies = recordedBodies();
const wanted = keptEvents(bodies);
const eventCount = bodies.reduce((sum, { events }) => sum + events.length, 0);

describe.each([
  ['one process', startStandalone, 'standalone'],
  ['four processes', startServices, 'archive'],
] as const)('the recorded bodies, posted to %s', (_name, start, archiving) => {
  const scratch = scratchFolder();
  let stack: Stack;

  beforeAll(async () => {
    stack = await start(scratch.path);
  });
  afterAll(async () => {
    await stack.stop();
    scratch.remove();
  });

  const postAll = async (change: (body: Buffer) => Buffer = (body) => body): Promise<number[]> => {
    const statuses: number[] = [];
    await eachAtOnce(bodies, 4, async ({ body }) => {
      statuses.push((await post(stack.address('webhook'), change(body))).status);
    });
    return statuses;
  };

  test('are each answered 200', async () => {
    expect(new Set(await postAll())).toEqual(new Set([200]));
  });

  test('leave in the archive exactly the events that the rules keep, once, byte for byte', async () => {
    const found = await settledArchive(stack.address('archive'), wanted.size);
    expect(differences(found, wanted)).toEqual(NO_DIFFERENCES);
  });

  test('leave the rest counted as ignored', async () => {
    await drained(stack);
    const admin = stack.address('admin');
    const received = await metric(admin, 'auditing_gateway_events_received_total');
    expect(received).toBe(eventCount);
    const kept = bodies.flatMap(({ events }) => events).filter((event) => event.kept).length;
    expect(await metric(admin, 'auditing_gateway_events_ignored_total')).toBe(eventCount - kept);
    expect(await metric(admin, 'auditing_gateway_dead_letters_total')).toBe(0);
  });

  test('are searched for text by threads, which find what contains it', async () => {
    const { admin = '' } = stack.process(archiving).addresses;
    const text = 'serviceaccount';
    const fitting = new Map([...wanted].filter(([, bytes]) => bytes.includes(text)));
    expect(fitting.size).toBeGreaterThan(0);
    // Threads are started by the first search.
    for (let rounds = 0, threads = 0; rounds < 2 || threads === 0; rounds += 1) {
      threads = await metric(admin, 'auditing_archive_search_threads');
      const found = await archivedEvents(stack.address('archive'), text);
      expect(differences(found, fitting)).toEqual(NO_DIFFERENCES);
    }
  });

  test('posted a second time are each answered 200 and double nothing', async () => {
    expect(new Set(await postAll())).toEqual(new Set([200]));
    await drained(stack);
    const found = await archivedEvents(stack.address('archive'));
    expect(differences(found, wanted)).toEqual(NO_DIFFERENCES);
  });

  test('posted as other bodies with the same events are answered 200 and double nothing', async () => {
    const spaced = (body: Buffer): Buffer => Buffer.concat([Buffer.from(' '), body]);
    expect(new Set(await postAll(spaced))).toEqual(new Set([200]));
    await drained(stack);
    const found = await archivedEvents(stack.address('archive'));
    expect(differences(found, wanted)).toEqual(NO_DIFFERENCES);
  });
});
