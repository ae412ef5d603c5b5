import { AlertKind, AlertStatus, ListRequest } from '@auditing/proto/alert';
import {
  AppendRequest,
  Match,
  Query,
  type ArchiveServiceService,
  type Scope,
} from '@auditing/proto/archive';
import { AuditEvent, Field } from '@auditing/proto/event';
import type { AlertServiceService } from '@auditing/proto/alert';
import type { Api } from '@auditing/service/rpc';
import { restrictAlert } from './restrict-alert';
import { restrictArchive } from './restrict-archive';

const never = new AbortController().signal;
const scope: Scope = { namespaces: [{ name: 'shop', since: undefined }], workspaces: [] };
const wider: Scope = { namespaces: [{ name: 'pay', since: undefined }], workspaces: [] };
const eventOf = (namespace: string) => AuditEvent.fromPartial({ objectRef: { namespace } });

/** An archive that says what it was asked, whatever is asked. */
function recorder() {
  const asked: Record<string, { query?: Query }> = {};
  const api = new Proxy({} as Api<typeof ArchiveServiceService>, {
    get: (_, name: string) => (request: { query?: Query }) => {
      asked[name] = request;
      return Promise.resolve(eventOf('pay'));
    },
  });
  return { asked, api };
}

const QUERIES = Object.keys(restrictArchive(recorder().api, scope)).filter(
  (name) => !['append', 'appendStream', 'get', 'verify', 'stats'].includes(name),
);

test.each(QUERIES)('%s is asked within the scope, whatever the caller says of it', async (name) => {
  const { asked, api } = recorder();
  const restricted = restrictArchive(api, scope) as unknown as Record<
    string,
    (request: object, signal: AbortSignal) => unknown
  >;
  await restricted[name]!({ query: undefined }, never);
  expect(asked[name]?.query).toEqual(Query.create({ scope }));
  const conditions = [
    { field: Field.NAMESPACE, match: Match.EXACT, values: ['pay'], negate: false },
  ];
  await restricted[name]!({ query: Query.create({ conditions, scope: wider }) }, never);
  expect(asked[name]?.query).toEqual(Query.create({ conditions, scope }));
});

test('an event outside of the scope is answered as one that does not exist', async () => {
  const { api } = recorder();
  const key = Buffer.alloc(32);
  await expect(restrictArchive(api, scope).get({ key }, never)).rejects.toThrow(
    `no event has the key ${'0'.repeat(64)}`,
  );
  expect(await restrictArchive(api, wider).get({ key }, never)).toEqual(eventOf('pay'));
});

test('what is for the gateway or for all events is refused', async () => {
  const restricted = restrictArchive(recorder().api, scope);
  await expect(restricted.append(AppendRequest.create(), never)).rejects.toThrow('all events');
  const stream = restricted.appendStream(null as never, never)[Symbol.asyncIterator]();
  await expect(stream.next()).rejects.toThrow('all events');
});

test('alerts are those of events in the scope; digests, which tell of others too, are none', async () => {
  const digest = AlertStatus.fromPartial({
    alert: { event: eventOf('shop') },
    kind: AlertKind.DIGEST,
  });
  const alerts = ['shop', 'pay', 'shop'].map((namespace) =>
    AlertStatus.fromPartial({ alert: { event: eventOf(namespace) } }),
  );
  const asked: ListRequest[] = [];
  const service = {
    list(request: ListRequest) {
      asked.push(request);
      return Promise.resolve({ alerts: [...alerts, digest, AlertStatus.create()] });
    },
    async *watch() {
      await Promise.resolve();
      yield* alerts;
    },
  } as unknown as Api<typeof AlertServiceService>;
  const restricted = restrictAlert(service, scope);
  expect((await restricted.list(ListRequest.fromPartial({ limit: 9 }), never)).alerts).toEqual([
    alerts[0],
    alerts[2],
  ]);
  expect(asked).toMatchObject([{ limit: 9, scope }]);
  const watched: AlertStatus[] = [];
  for await (const one of restricted.watch({ rule: '' }, never)) watched.push(one);
  expect(watched).toEqual([alerts[0], alerts[2]]);
  const get = (place: number) =>
    restrictAlert(
      { ...service, get: () => Promise.resolve(alerts[place] ?? AlertStatus.create()) },
      scope,
    ).get({ id: Buffer.alloc(32) }, never);
  expect(await get(0)).toEqual(alerts[0]);
  await expect(get(1)).rejects.toThrow(/^no alert 0{64}$/);
});
