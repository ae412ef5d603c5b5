import {
  ObjectHistoryRequest,
  ObjectVersion,
  type ObjectHistoryResponse,
} from '@auditing/proto/archive';

import { checkHistory } from '../check-query';
import type { Engine } from '../engine';
import { batchOf, eventBytes, type EventSketch } from '../testing/batches';
import { ENGINE_KINDS, type TestArchive } from '../testing/engine-kinds';
import { never } from '../testing/engines';
import { objectHistory } from './object-history';

interface Sketched {
  readonly replicas?: number;
  readonly image?: string;
  readonly uid?: string;
  readonly name?: string;
}

function deployment({
  replicas = 1,
  image = 'a:1',
  uid = 'u1',
  name = 'web',
}: Sketched = {}): object {
  return {
    kind: 'Deployment',
    metadata: { name, uid, managedFields: [{ time: Math.random() }] },
    spec: {
      replicas,
      containers: [
        { name: 'side', image: 's' },
        { name: 'app', image },
      ],
    },
  };
}

let atUs = 0;

/** An event of deployments/web, one second after the last one. */
function change(sketch: EventSketch): Buffer {
  atUs += 1e6;
  return eventBytes({
    auditId: `id-${atUs}`,
    atUs,
    resource: 'deployments',
    apiGroup: 'apps',
    name: 'web',
    ...sketch,
  });
}

const EVENTS = [
  change({ verb: 'create', user: 'ann', code: 201, responseObject: deployment() }),
  change({ verb: 'get', user: 'bob', responseObject: deployment() }),
  change({
    verb: 'patch',
    user: 'bob',
    requestObject: { spec: { replicas: 3 } },
    responseObject: deployment({ replicas: 3 }),
  }),
  change({
    verb: 'update',
    user: 'eve',
    code: 409,
    requestObject: deployment({ replicas: 9 }),
    responseObject: { kind: 'Status' },
  }),
  change({
    verb: 'update',
    user: 'eve',
    uri: '/apis/apps/v1/x?dryRun=All',
    responseObject: deployment({ replicas: 7 }),
  }),
  change({
    verb: 'update',
    user: 'cid',
    responseObject: deployment({ replicas: 3, image: 'a:2' }),
  }),
  change({
    verb: 'update',
    user: 'other',
    name: 'web2',
    responseObject: deployment({ name: 'web2', replicas: 8 }),
  }),
  change({ verb: 'patch', user: 'dan', requestObject: { spec: { paused: true } } }),
  change({ verb: 'list', user: 'all', name: '' }),
  change({
    verb: 'deletecollection',
    user: 'gus',
    name: '',
    responseObject: { kind: 'DeploymentList', items: [deployment()] },
  }),
  change({
    verb: 'create',
    user: 'hal',
    name: '',
    code: 201,
    responseObject: deployment({ uid: 'u2', replicas: 5 }),
  }),
  change({ verb: 'update', user: 'ida', responseObject: deployment({ uid: 'u2', replicas: 6 }) }),
];

for (const kind of ENGINE_KINDS) {
  kind.describe(`the ${kind.name} engine:`, () => {
    let engine: Engine;
    let archive: TestArchive;

    beforeAll(async () => {
      archive = await kind.open();
      ({ engine } = archive);
      await engine.append(await batchOf(EVENTS), 0n);
    });

    afterAll(() => archive.remove());

    async function history(
      request: Parameters<typeof ObjectHistoryRequest.fromPartial>[0] = {},
    ): Promise<ObjectHistoryResponse[]> {
      const steps: ObjectHistoryResponse[] = [];
      const whole = {
        apiGroup: 'apps',
        resource: 'deployments',
        namespace: 'default',
        name: 'web',
        ...request,
      };
      for await (const step of objectHistory(
        engine,
        checkHistory(ObjectHistoryRequest.fromPartial(whole)),
        never,
      ))
        steps.push(step);
      return steps;
    }

    function users(steps: readonly ObjectHistoryResponse[]): (string | undefined)[] {
      return steps.flatMap(({ event }) => (event ? [event.user?.username] : []));
    }

    test('all events of the object come in order, those without its name too', async () => {
      const steps = await history();
      expect(users(steps)).toEqual([
        'ann',
        'bob',
        'bob',
        'eve',
        'eve',
        'cid',
        'dan',
        'gus',
        'hal',
        'ida',
      ]);
      expect(users(await history({ writesOnly: true }))).toEqual([
        'ann',
        'bob',
        'eve',
        'eve',
        'cid',
        'dan',
        'gus',
        'hal',
        'ida',
      ]);
      expect(steps.every(({ event }) => event?.raw.length === 0)).toBe(true);
    });

    test('each stored version says what it changed, and against which event', async () => {
      const [created, read, scaled, refused, tried, image, patched] = await history();
      expect(created).toMatchObject({ version: ObjectVersion.RESPONSE, changes: [] });
      expect(created?.previousKey).toHaveLength(0);
      for (const unchanged of [read, refused, tried])
        expect(unchanged).toMatchObject({ version: ObjectVersion.UNSPECIFIED, changes: [] });
      expect(scaled).toMatchObject({
        version: ObjectVersion.RESPONSE,
        previousKey: created?.event?.key,
        changes: [{ path: '/spec/replicas', before: '1', after: '3' }],
      });
      expect(image?.changes).toEqual([
        { path: '/spec/containers/name=app/image', before: '"a:1"', after: '"a:2"' },
      ]);
      expect(image?.previousKey).toEqual(scaled?.event?.key);
      expect(patched).toMatchObject({ version: ObjectVersion.PATCH, changes: [] });
    });

    test('an object that was made again is not compared with the one before', async () => {
      const steps = await history();
      expect(steps[8]).toMatchObject({ version: ObjectVersion.RESPONSE, changes: [] });
      expect(steps[9]?.changes).toEqual([{ path: '/spec/replicas', before: '5', after: '6' }]);
    });

    test('pages by cursor are the whole, and know the version before them', async () => {
      const whole = await history();
      const pages: ObjectHistoryResponse[] = [];
      let cursor = '';
      do {
        const page = await history({ limit: 2, cursor });
        cursor = page.at(-1)?.nextCursor ?? '';
        pages.push(...page.filter(({ event }) => event !== undefined));
      } while (cursor !== '');
      expect(pages).toEqual(whole);
    });

    test('events of the same time are paged without loss', async () => {
      const same = Array.from({ length: 7 }, (_, index) =>
        eventBytes({ auditId: `same-${index}`, atUs: 5e9, name: 'same', user: `u${index}` }),
      );
      await engine.append(await batchOf(same), 0n);
      const of = { apiGroup: '', resource: 'pods', name: 'same', limit: 3 };
      const seen: (string | undefined)[] = [];
      let cursor = '';
      do {
        const page = await history({ ...of, cursor });
        cursor = page.at(-1)?.nextCursor ?? '';
        seen.push(...users(page));
      } while (cursor !== '');
      expect(seen).toEqual(['u0', 'u1', 'u2', 'u3', 'u4', 'u5', 'u6']);
    });

    test('a history that begins later compares with the version in force then', async () => {
      const seconds = 1_767_225_600n + 5n;
      const [, image] = await history({ query: { start: { seconds, nanos: 0 } } });
      expect(image?.changes).toHaveLength(1);
    });

    test('without resource or name, or with a wrong cursor, it says what was expected', async () => {
      await expect(history({ name: '' })).rejects.toThrow(/name: expected/);
      await expect(history({ resource: '' })).rejects.toThrow(/resource: expected/);
      await expect(history({ cursor: 'x' })).rejects.toThrow(/cursor: expected/);
    });
  });
}
