import { Match, Query } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';

import type { Engine } from '../engine';
import { batchOf, DAY_ONE_US, eventBytes } from '../testing/batches';
import { never } from '../testing/engines';
import {
  describeWithOpensearch,
  openOpensearch,
  ownPrefix,
  removeIndices,
} from '../testing/opensearch';

describeWithOpensearch('a listener', () => {
  const prefix = ownPrefix();
  let engine: Engine;

  beforeEach(() => {
    engine = openOpensearch({ prefix });
  });

  afterEach(async () => {
    await engine.close();
    await removeIndices(prefix);
  });

  async function append(bytes: readonly Buffer[]): Promise<void> {
    await engine.append(await batchOf(bytes), 0n);
  }

  test('gets what is stored from a token on, each event once, with its filters', async () => {
    await append([eventBytes({ user: 'before' })]);
    const { resumeToken } = await engine.stats(never);
    const conditions = [
      { field: Field.USER, match: Match.EXACT, values: ['alice'], negate: false },
    ];
    const query = Query.create({ conditions });
    for (let index = 0; index < 12; index += 1) {
      const name = String(index);
      await append([eventBytes({ user: 'alice', name }), eventBytes({ user: 'bob', name })]);
    }
    const got: string[] = [];
    let token = resumeToken;
    // A call that breaks off goes on behind the last event it gave.
    for (const count of [5, 4, 3]) {
      const ending = new AbortController();
      const request = { query, includeRaw: false, resumeToken: token };
      let left = count;
      for await (const event of engine.tail(request, ending.signal)) {
        got.push(event.objectRef?.name ?? '');
        token = event.resumeToken;
        left -= 1;
        if (left === 0) break;
      }
      ending.abort();
    }
    expect(got).toEqual(Array.from({ length: 12 }, (_, index) => String(index)));
    const ending = new AbortController();
    const request = { query, includeRaw: false, resumeToken: token };
    const next = engine.tail(request, ending.signal)[Symbol.asyncIterator]().next();
    ending.abort();
    await expect(next).rejects.toThrow(/gave up/);
  });

  test('that knows no token gets what another process stores from now on, within seconds', async () => {
    const other = openOpensearch({ prefix });
    await append([eventBytes({ auditId: 'before', atUs: 0 })]);
    const ending = new AbortController();
    const request = { query: undefined, includeRaw: true, resumeToken: '' };
    const events = engine.tail(request, ending.signal)[Symbol.asyncIterator]();
    const first = events.next();
    // The listener may not be there yet: events go on coming until it has one.
    const heard = { yes: false };
    void first.then(() => (heard.yes = true));
    let sent = 0;
    while (!heard.yes) {
      const atUs = sent * 1e6;
      await other.append(await batchOf([eventBytes({ auditId: `id-${sent++}`, atUs })]), 0n);
    }
    const got = [(await first).value as { auditId: string }];
    const last = eventBytes({ auditId: 'last', atUs: 0 });
    await other.append(await batchOf([last]), 0n);
    while (got.at(-1)?.auditId !== 'last') {
      got.push((await events.next()).value as { auditId: string });
    }
    const from = Number(got[0]?.auditId.slice('id-'.length));
    const expected = Array.from({ length: sent - from }, (_, at) => `id-${from + at}`);
    expect(got.map(({ auditId }) => auditId)).toEqual([...expected, 'last']);
    ending.abort();
    await expect(events.next()).rejects.toThrow(/gave up/);
    await other.close();
  });

  test('that was away finds what is in indices that were made meanwhile', async () => {
    await append([eventBytes({ auditId: 'known', atUs: 0 })]);
    const { resumeToken } = await engine.stats(never);
    const dayUs = 86_400_000_000;
    for (const days of [1, 2]) {
      const sketch = { receivedAtUs: DAY_ONE_US + days * dayUs };
      const bytes = eventBytes({ auditId: `day ${days}`, atUs: days * dayUs });
      await engine.append(await batchOf([bytes], sketch), 0n);
    }
    const request = { query: undefined, includeRaw: false, resumeToken };
    const got: string[] = [];
    for await (const { auditId } of engine.tail(request, never)) {
      if (got.push(auditId) === 2) break;
    }
    expect(got).toEqual(['day 1', 'day 2']);
  });

  test('is refused with a token that no archive gave', async () => {
    for (const resumeToken of [
      'abc',
      '!',
      'AQ8BBQ__',
      Buffer.alloc(9, 255).toString('base64url'),
    ]) {
      const request = { query: undefined, includeRaw: false, resumeToken };
      const next = engine.tail(request, never)[Symbol.asyncIterator]().next();
      await expect(next).rejects.toThrow(/resume_token/);
    }
  });
});
