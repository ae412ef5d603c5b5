import { compressBlock } from '@auditing/audit-event/block';
import type { KeptBatch } from '@auditing/proto/archive';
import { Priority, Strip, type Finding, type OutputPart } from '@auditing/proto/event';
import fc from 'fast-check';

import { INDEXED_FIELDS } from '../indexed-fields';
import { batchOf, DAY_ONE_US, eventBytes } from '../testing/batches';
import { joinBatches, kindOf, type LoggedBatch } from './join-batches';
import { encodeRecord, wholeRecord } from './log-record';
import { SegmentIndex } from './segment-index';
import { batchHeads, contentHashes, receivedAtOf, splitBatches } from './split-batches';

const word = fc.constantFrom('', 'a', 'b', 'system:admin', 'ä"');
const sketch = fc.record(
  {
    auditId: fc.constantFrom('', 'one', 'id-2', 'not "plain"'),
    atUs: fc.nat(),
    user: word,
    namespace: word,
    name: fc.string(),
  },
  { requiredKeys: ['auditId', 'user', 'namespace', 'name'] },
);

const sentBatch = fc.record({
  events: fc.array(sketch, { minLength: 1, maxLength: 4 }),
  id: fc.record({
    epoch: fc.constantFrom('00000000000000a1', 'ffffffffffffffff'),
    sequence: fc.bigInt({ min: 1n, max: 2n ** 40n }),
    part: fc.nat(3),
    firstEvent: fc.nat(1000),
    eventCount: fc.constantFrom(0, 5, 4000),
  }),
  receivedAtUs: fc.nat().map((us) => DAY_ONE_US + us),
  output: fc.constantFrom<OutputPart[]>(
    [],
    [{ part: { $case: 'defaultText', value: true } }],
    [
      { part: { $case: 'text', value: 'by ' } },
      { part: { $case: 'path', value: 'User.username' } },
    ],
  ),
  rules: fc.uniqueArray(fc.constantFrom('r.a', 'r.b', 'r.c'), { minLength: 1 }),
  findings: fc.array(fc.tuple(fc.nat(2), fc.constantFrom('', 'somebody did something'))),
  strip: fc.constantFrom(Strip.UNSPECIFIED, Strip.RESPONSE, Strip.BODIES),
  workspace: word,
  version: fc.constantFrom('v1', 'v2', ''),
  hasVerdicts: fc.boolean(),
});

/** A batch, and what its record in the log says. */
async function logged(sent: typeof sentBatch extends fc.Arbitrary<infer T> ? T : never) {
  const { id, receivedAtUs, rules, output, strip, workspace } = sent;
  const bytes = sent.events.map((one) => eventBytes(one));
  const kept = await batchOf(bytes, { id, receivedAtUs, rules, output });
  const found = sent.findings.flatMap(([rule, message]): Finding[] =>
    rule < rules.length ? [{ rule, message, alert: message !== '' }] : [],
  );
  const verdicts = kept.verdicts!;
  verdicts.ruleSetVersion = sent.version;
  verdicts.ignoredCount = sent.events.length % 3;
  verdicts.rules[0]!.priority = Priority.WARNING;
  Object.assign(verdicts.verdicts[0]!, { strip, workspace, findings: found });
  if (!sent.hasVerdicts) kept.verdicts = undefined;
  const record = await encodeRecord(kept, bytes);
  return { kept, bytes, record, data: Buffer.from(record.data) };
}

test('joined batches give back every batch as it was, and the same rows', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(sentBatch, { minLength: 2, maxLength: 8 }), async (sent) => {
      const all = await Promise.all(sent.map(logged));
      const whole = await Promise.all(all.map(({ data }) => wholeRecord(data, true)));
      const batches = whole.map(({ kept, slices = [] }, at): LoggedBatch => {
        return { kept: { ...kept, batch: kept.batch! }, slices, logBytes: 20 + at };
      });
      const kinds = new Set(batches.map(kindOf));
      fc.pre(kinds.size === 1);
      const slices = batches.flatMap((batch) => batch.slices);
      const breathe = jest.fn(() => Promise.resolve());
      const joined = await joinBatches(batches, { breathe });
      // The loop of the process is free for others between two batches.
      expect(breathe.mock.calls.length).toBeGreaterThanOrEqual(batches.length);
      joined.batch!.block = await compressBlock(slices);
      const record = Buffer.from((await encodeRecord(joined, slices)).data);
      const again = await wholeRecord(record, true);

      // What the chain of hashes is made of.
      expect(contentHashes(again)).toEqual(all.map((one) => one.record.contentHash));
      // All that a batch says: as it was sent, but for how its block is compressed.
      const split = [...splitBatches(again.kept, again.slices ?? [], 0)];
      expect(split.map((one) => one.slices)).toEqual(all.map(({ bytes }) => bytes));
      expect(split.map(({ logBytes }) => logBytes)).toEqual(sent.map((_, at) => 20 + at));
      expect(split.map(({ kept }) => comparable(kept))).toEqual(
        all.map(({ kept }) => comparable(kept)),
      );
      expect(batchHeads(again.kept).map(({ id }) => id)).toEqual(sent.map(({ id }) => id));
      const receivedAtUs = receivedAtOf(again.kept);
      expect(slices.map((_, event) => receivedAtUs(event))).toEqual(
        sent.flatMap((one) => one.events.map(() => one.receivedAtUs)),
      );
      expect(rowsOf([again.kept])).toEqual(rowsOf(all.map(({ kept }) => kept)));
    }),
    { numRuns: 200 },
  );
}, 300_000);

function comparable(kept: KeptBatch): unknown {
  const { batch, positions, verdicts } = kept;
  const columns = [...(batch?.columns ?? [])].sort((a, b) => a.field - b.field);
  return { positions, verdicts, batch: { ...batch, columns, block: undefined } };
}

/** All that an index says of records. */
function rowsOf(records: readonly KeptBatch[]): unknown {
  const index = new SegmentIndex(0);
  records.forEach((kept, at) => {
    index.add(at, kept);
  });
  return {
    summary: index.summary(),
    oldestReceivedUs: index.oldestReceivedUs,
    times: index.times(),
    stageTimes: index.stageTimes,
    keys: index.keys.keys(),
    columns: INDEXED_FIELDS.map((field) => {
      const { codes, values } = index.column(field);
      return Array.from(codes.subarray(0, index.rowCount), (code) => values.at(code - 1));
    }),
  };
}

test('a batch whose time is no whole number is not joined', async () => {
  const kept = await batchOf([eventBytes({})], { receivedAtUs: 1.5 });
  const batch = { kept: { ...kept, batch: kept.batch! }, slices: [eventBytes({})], logBytes: 1 };
  const breathe = (): Promise<void> => Promise.resolve();
  await expect(joinBatches([batch, batch], { breathe })).rejects.toThrow(RangeError);
});

test('batches whose sequences lie too far apart are not joined', async () => {
  const [first, far] = await Promise.all(
    [1n, 2n ** 64n - 1n].map(async (sequence) => {
      const id = { epoch: '00000000000000a1', sequence, part: 0, firstEvent: 0, eventCount: 0 };
      const kept = await batchOf([eventBytes({})], { id });
      return { kept: { ...kept, batch: kept.batch! }, slices: [eventBytes({})], logBytes: 1 };
    }),
  );
  const breathe = (): Promise<void> => Promise.resolve();
  await expect(joinBatches([first!, far!], { breathe })).rejects.toThrow(RangeError);
  await expect(joinBatches([first!, first!], { breathe })).resolves.toBeDefined();
});
