import { eventKey } from '@auditing/audit-event/event-key';
import { Match } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { status } from '@grpc/grpc-js';

import { batchOf, eventBytes } from '../testing/batches';
import { allTexts, found, never } from '../testing/engines';
import {
  connectTo,
  describeWithOpensearch,
  openOpensearch,
  ownPrefix,
  refresh,
  removeIndices,
} from '../testing/opensearch';
import type { OpenSearch } from './connect';
import type { MappingNode } from './index-template';
import type { OpensearchEngine } from './opensearch-engine';

const DAY = '2026.01.01';
const TIMES = '"requestReceivedTimestamp":"2026-01-01T00:00:00.5Z"';

describeWithOpensearch('the mapping', () => {
  let prefix: string;
  let engine: OpensearchEngine;
  let direct: OpenSearch;

  beforeEach(() => {
    prefix = ownPrefix();
    engine = openOpensearch({ prefix });
    direct = connectTo();
  });

  afterEach(async () => {
    await engine.close();
    await direct.close();
    await removeIndices(prefix);
  });

  async function mapping(): Promise<MappingNode> {
    const index = `${prefix}-${DAY}`;
    const answer = await direct.request<Record<string, { mappings: MappingNode }>>(
      { method: 'GET', path: `/${index}/_mapping` },
      never,
    );
    return answer[index]!.mappings;
  }

  async function appendTexts(texts: readonly (string | Buffer)[]): Promise<Buffer[]> {
    const events = texts.map((text) => Buffer.from(text as string, 'utf8'));
    await engine.append(await batchOf(events), 0n);
    await refresh(direct, prefix);
    return events;
  }

  test('grows by nothing that an event holds', async () => {
    await appendTexts([`{"auditID":"first",${TIMES}}`]);
    const before = await mapping();
    const keys = Array.from({ length: 2_000 }, (_, at) => `"key-${at}.x..y":"${at}"`).join(',');
    const texts = [
      `{"auditID":"a",${TIMES},"annotations":{${keys},"":"empty","__proto__":"p","deep":{"a":[1,{}]}}}`,
      `{"auditID":"b",${TIMES},"user":{"username":"u","extra":{${keys.replaceAll(':"', ':["').replaceAll('",', '"],').replace(/"$/, '"]')}}}}`,
      `{"auditID":"c",${TIMES},"requestObject":{${keys}},"responseObject":{${keys}},"unknown":{${keys}}}`,
      `{"auditID":"d",${TIMES},"responseStatus":{"code":1,"details":{${keys}},"x":{${keys}}},"objectRef":{"x":{${keys}}}}`,
    ];
    const events = await appendTexts(texts);
    expect(await mapping()).toEqual(before);
    for (const bytes of events) {
      expect((await engine.get(eventKey(bytes), never))?.raw).toEqual(bytes);
    }
  });

  test('takes whatever an event holds anywhere, and gives it back byte for byte', async () => {
    const nested = `${'['.repeat(3_000)}${']'.repeat(3_000)}`;
    const long = 'ä'.repeat(20_000);
    const texts: (string | Buffer)[] = [
      `{"auditID":"types",${TIMES},"verb":7,"level":{},"stage":[],"user":"u","sourceIPs":{"a":1},"objectRef":[],"responseStatus":3,"annotations":"x","userAgent":true}`,
      `{"auditID":"status",${TIMES},"responseStatus":{"code":"abc","status":{"x":1},"reason":[1],"message":5}}`,
      `{"auditID":"codes",${TIMES},"responseStatus":{"code":403.5}}`,
      `{"auditID":"huge",${TIMES},"responseStatus":{"code":123456789012345678901234567890}}`,
      `{"auditID":"object",${TIMES},"responseStatus":{"code":{"a":1}},"objectRef":{"name":{"a":1},"namespace":5}}`,
      `{"auditID":"nested",${TIMES},"annotations":{"deep":${nested}},"requestObject":${nested},"userAgent":${nested}}`,
      `{"auditID":"long",${TIMES},"requestURI":"${long}","user":{"username":"${long}","groups":["${long}","short"]}}`,
      `{"auditID":"surrogate \\ud800",${TIMES},"user":{"username":"\\udc00x"},"annotations":{"\\ud800":"\\udfff"}}`,
      `{"auditID":"signs",${TIMES},"userAgent":"\\u0000\\u2028 <script> \\" \\\\ 😀"}`,
      `{"auditID":"times","requestReceivedTimestamp":"9999-12-31T23:59:59-12:00","stageTimestamp":"no time"}`,
      `{"auditID":"early","requestReceivedTimestamp":"0002-01-01T00:00:00Z"}`,
      Buffer.from(`{"auditID":"latin \xff\xfe",${TIMES},"userAgent":"\xe4"}`, 'latin1'),
      `{"auditID":"large",${TIMES},"requestObject":{"data":"${'needle '.repeat(20_000)}"}}`,
      '{}',
    ];
    const events = texts.map((text) => (typeof text === 'string' ? Buffer.from(text) : text));
    const appended = await engine.append(await batchOf(events), 0n);
    expect(appended).toEqual({ archivedCount: events.length, duplicateCount: 0 });
    await refresh(direct, prefix);
    const stored = await allTexts(engine, 'latin1');
    // Keys instead of texts: a difference is to be readable.
    const keys = stored.map((text) => eventKey(Buffer.from(text, 'latin1')).toString('hex'));
    expect(keys.sort()).toEqual(events.map((bytes) => eventKey(bytes).toString('hex')).sort());
    const ids = async (query: object): Promise<string[]> =>
      (await found(engine, { query })).events.map(({ auditId }) => auditId).sort();
    const exact = (field: Field, value: string, negate = false) => ({
      conditions: [{ field, match: Match.EXACT, values: [value], negate }],
    });
    expect(await ids(exact(Field.CODE, '403.5'))).toEqual(['codes']);
    expect(await ids(exact(Field.CODE, 'abc'))).toEqual(['status']);
    expect(await ids(exact(Field.GROUPS, 'short'))).toEqual(['long']);
    // What is too long to be asked for is there all the same.
    expect(await ids(exact(Field.REQUEST_URI, '', true))).toEqual(['long']);
    expect(await ids(exact(Field.USER, ''))).not.toContain('long');
    expect(await ids({ text: 'needle needle' })).toEqual(['large']);
    expect(await ids({ text: '\u0000' })).toEqual([]);
    expect(await ids({ text: '😀' })).toEqual(['signs']);
  });

  test('an index that KubeSphere has made before gets what it lacks, and takes no new fields', async () => {
    const index = `${prefix}-${DAY}`;
    const own = {
      AuditID: 'old',
      Verb: 'get',
      User: { Username: 'old', Groups: 'a,b', UID: '' },
      ObjectRef: { Resource: 'pods', Name: 'web', Namespace: 'test' },
      ResponseStatus: { code: 200, metadata: {} },
      RequestReceivedTimestamp: '2026-01-01T00:00:00+08:00',
      RequestObject: '',
    };
    // Without our template, as before the archive was ever started.
    await direct.request({ method: 'POST', path: `/${index}/_doc`, body: own }, never);
    const events = await appendTexts([
      `{"auditID":"new",${TIMES},"verb":"get","user":{"username":"u","groups":["a"]},"responseStatus":{"code":403},"annotations":{"x.y":"z"},"newField":1}`,
    ]);
    const { events: answer } = await found(engine, {
      query: {
        conditions: [
          { field: Field.CODE, match: Match.EXACT, values: ['403'] },
          { field: Field.USER, match: Match.EXACT, values: ['u'] },
          { field: Field.GROUPS, match: Match.EXACT, values: ['a'] },
        ],
      },
      includeRaw: true,
    });
    expect(answer.map(({ raw }) => raw)).toEqual(events);
    const { properties } = await mapping();
    expect(properties?.['Annotations']).toEqual({ type: 'object', enabled: false });
    // Documents that are none of ours are in no answer.
    expect((await found(engine, { countTotal: true })).total).toBe(1n);
  });

  test('an event that does not fit the mapping of such an index is refused, and no other one', async () => {
    const index = `${prefix}-${DAY}`;
    await direct.request(
      {
        method: 'PUT',
        path: `/${index}`,
        body: {
          mappings: { properties: { ObjectRef: { properties: { Name: { type: 'long' } } } } },
        },
      },
      never,
    );
    const events = ['1', 'web', '3'].map((name) => eventBytes({ auditId: name, atUs: 0, name }));
    await expect(engine.append(await batchOf(events), 0n)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringMatching(/refuses 1 of 3 .*ObjectRef.Name/) as string,
    });
    await refresh(direct, prefix);
    const stored = await allTexts(engine);
    expect(stored.sort()).toEqual([events[0], events[2]].map(String).sort());
  });
});
