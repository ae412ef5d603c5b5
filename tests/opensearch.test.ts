import { startFaultProxy, type FaultProxy } from '@auditing/archive/testing/fault-proxy';
import {
  connectTo,
  describeWithOpensearch,
  ownPrefix,
  refresh,
  removeIndices,
} from '@auditing/archive/testing/opensearch';
import { archivedEvents, differences, NO_DIFFERENCES, settledArchive } from './archive-reader';
import { keptEvents, recordedBodies, SAMPLES_FOLDER, variant, type RecordedBody } from './corpus';
import { drained, metric } from './metrics';
import { eachAtOnce, post, send } from './post';
import { scratchFolder } from './processes';
import { startStandalone, type Stack } from './stack';

jest.setTimeout(300_000);

const DEAD_LETTERS = '/apis/query.auditing.kubesphere.io/v1alpha1/dead-letters';

const samples = recordedBodies(SAMPLES_FOLDER);

describeWithOpensearch('the samples, posted to one process that archives into it', () => {
  const scratch = scratchFolder();
  const prefix = ownPrefix();
  const posted: RecordedBody[] = [];
  let proxy: FaultProxy;
  let stack: Stack;

  beforeAll(async () => {
    proxy = await startFaultProxy();
    stack = await startStandalone(scratch.path, {
      AUDITING_ARCHIVE_ENGINE: 'opensearch',
      AUDITING_OPENSEARCH_URL: proxy.url,
      AUDITING_OPENSEARCH_INDEX_PREFIX: prefix,
      AUDITING_OPENSEARCH_REPLICAS: '0',
      AUDITING_RETENTION_AGE: '36500d',
    });
  });
  afterAll(async () => {
    await stack.stop();
    await proxy.down();
    await removeIndices(prefix);
    scratch.remove();
  });

  async function postAll(bodies: readonly RecordedBody[]): Promise<void> {
    const statuses = new Set<number>();
    await eachAtOnce(bodies, 3, async ({ body }) => {
      statuses.add((await post(stack.address('webhook'), body)).status);
    });
    expect(statuses).toEqual(new Set([200]));
    posted.push(...bodies);
  }

  test('are found once, byte for byte, also when they are posted again', async () => {
    await postAll(samples);
    // While the first event makes the index a search in it is answered with UNAVAILABLE.
    await drained(stack);
    const wanted = keptEvents(posted);
    const found = await settledArchive(stack.address('archive'), wanted.size);
    expect(differences(found, wanted)).toEqual(NO_DIFFERENCES);

    await postAll(samples);
    await drained(stack);
    const opensearch = connectTo();
    await refresh(opensearch, prefix);
    await opensearch.close();
    expect(differences(await archivedEvents(stack.address('archive')), wanted)).toEqual(
      NO_DIFFERENCES,
    );
  });

  test('wait in the spool while it cannot be reached, through a crash too, and are there once it is back', async () => {
    await proxy.down();
    await postAll(variant(samples, 1));
    await stack.crash('standalone');
    await postAll(variant(samples, 2));
    const admin = stack.address('admin');
    expect(await metric(admin, 'auditing_gateway_oldest_unarchived_seconds')).toBeGreaterThan(0);
    await proxy.up();
    await drained(stack);
    const wanted = keptEvents(posted);
    const found = await settledArchive(stack.address('archive'), wanted.size);
    expect(differences(found, wanted)).toEqual(NO_DIFFERENCES);
    expect(await metric(admin, 'auditing_gateway_dead_letters_total')).toBe(0);
  });

  test('of which it refuses one for good: that one alone becomes a dead letter', async () => {
    const bodies = variant(samples, 3);
    const [[key, refused] = ['', Buffer.alloc(0)]] = keptEvents(bodies);
    const id = Buffer.from(key, 'hex').toString('base64url');
    const fault = { status: 400, type: 'mapper_parsing_exception', reason: 'failed to parse' };
    proxy.faults = { document: (document) => (document === id ? fault : undefined) };
    await postAll(bodies);
    await drained(stack);
    const wanted = keptEvents(posted);
    expect(wanted.delete(key)).toBe(true);
    const found = await settledArchive(stack.address('archive'), wanted.size);
    expect(differences(found, wanted)).toEqual(NO_DIFFERENCES);

    const read = async (path: string): Promise<string> =>
      (await send(stack.address('api') + path, '', { method: 'GET', headers: {} })).body;
    expect(JSON.parse(await read(DEAD_LETTERS))).toMatchObject({
      count: 1,
      deadLetters: [{ hash: key, kind: 'event' }],
    });
    expect(await read(`${DEAD_LETTERS}/${key}/raw`)).toBe(refused.toString());
  });
});
