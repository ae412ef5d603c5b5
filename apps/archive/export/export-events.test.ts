import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ExportFormat, ExportRequest, Order } from '@auditing/proto/archive';
import { DuckDBInstance } from '@duckdb/node-api';

import { checkExport } from '../check-query';
import type { Engine } from '../engine';
import { batchOf, eventBytes } from '../testing/batches';
import { ENGINE_KINDS, type TestArchive } from '../testing/engine-kinds';
import { never } from '../testing/engines';
import { exportEvents } from './export-events';

for (const kind of ENGINE_KINDS) {
  kind.describe(`the ${kind.name} engine:`, () => {
    let engine: Engine;
    let archive: TestArchive;
    let scratchFolder: string;

    beforeAll(async () => {
      archive = await kind.open();
      ({ engine } = archive);
      scratchFolder = await mkdtemp(join(tmpdir(), 'export-'));
    });

    afterAll(async () => {
      await archive.remove();
      await rm(scratchFolder, { recursive: true });
    });

    async function exported(request: Parameters<typeof ExportRequest.fromPartial>[0]): Promise<{
      readonly file: Buffer;
      readonly counts: readonly bigint[];
    }> {
      const parts: Buffer[] = [];
      const counts: bigint[] = [];
      const checked = checkExport(ExportRequest.fromPartial(request));
      for await (const part of exportEvents(engine, checked, { scratchFolder, signal: never })) {
        parts.push(part.data);
        counts.push(part.eventCount);
        expect(part.data.length).toBeLessThanOrEqual(2 ** 20);
      }
      return { file: Buffer.concat(parts), counts };
    }

    const plain = Array.from({ length: 30 }, (_, index) =>
      eventBytes({ auditId: `id-${index}`, atUs: index * 1e6, groups: ['a', 'b"c'] }),
    );
    const odd = Buffer.from(
      '{\n  "level": "Metadata",\r\n "auditID":"odd", "verb":"get", "user":{"username":"=cmd()"},' +
        '"userAgent":"a\\nb,\\"c\\"","requestReceivedTimestamp":"2026-01-02T00:00:00.000001Z","x":"\xff"}',
      'latin1',
    );

    beforeAll(async () => {
      await engine.append(await batchOf(plain), 0n);
      await engine.append(await batchOf([odd]), 0n);
    });

    test('NDJSON holds the bytes of each event in one line, in the order asked for', async () => {
      const { file, counts } = await exported({ order: Order.OLDEST_FIRST });
      const oneLine = odd.toString('latin1').replaceAll('\n', ' ').replaceAll('\r', ' ');
      const lines = [...plain.map((bytes) => bytes.toString('latin1')), oneLine];
      expect(file.toString('latin1')).toBe(`${lines.join('\n')}\n`);
      expect(counts.at(-1)).toBe(31n);
      const newest = await exported({ limit: 2n });
      expect(newest.file.toString('latin1')).toBe(`${lines[30]!}\n${lines[29]!}\n`);
    });

    test('CSV has a header, quotes what must be, and lets no spreadsheet run a formula', async () => {
      const { file } = await exported({ format: ExportFormat.CSV, limit: 2n });
      const [header, formula, next] = file.toString().split('\r\n');
      expect(header).toMatch(/^time,stage_time,received_at,key,audit_id,/);
      expect(formula).toContain(",odd,kubernetes,Metadata,,get,'=cmd(),");
      expect(file.toString()).toContain('"a\nb,""c"""');
      expect(next ?? '').not.toBe('');
    });

    test('CSV writes lists as JSON and times in RFC 3339', async () => {
      const { file } = await exported({
        format: ExportFormat.CSV,
        order: Order.OLDEST_FIRST,
        limit: 1n,
      });
      const [, line] = file.toString().split('\r\n');
      expect(line).toContain('"[""a"",""b\\""c""]"');
      expect(line).toMatch(/^2026-01-01T00:00:00\.000000Z,/);
    });

    test('an export of nothing is an empty file, or a header alone', async () => {
      const query = { text: 'no such text' };
      expect((await exported({ query })).file).toHaveLength(0);
      const { file } = await exported({ query, format: ExportFormat.CSV });
      expect(file.toString()).toMatch(/^time,.*,message\r\n$/);
    });

    test('Parquet holds columns of their types and the bytes of each event', async () => {
      const { file, counts } = await exported({
        format: ExportFormat.PARQUET,
        order: Order.OLDEST_FIRST,
      });
      const path = join(scratchFolder, 'read.parquet');
      await writeFile(path, file);
      const connection = await (await DuckDBInstance.create(':memory:')).connect();
      const reader = await connection.runAndReadAll(
        `select strftime(time, '%Y-%m-%dT%H:%M:%S.%f') as time, user, groups[2] as second, code, hex(raw) as raw from '${path}'`,
      );
      const rows = reader.getRowObjectsJson();
      connection.closeSync();
      await rm(path);
      expect(counts.at(-1)).toBe(31n);
      expect(rows).toHaveLength(31);
      expect(rows[1]).toEqual({
        time: '2026-01-01T00:00:01.000000',
        user: 'admin',
        second: 'b"c',
        code: 200,
        raw: plain[1]!.toString('hex').toUpperCase(),
      });
      expect(rows[30]).toMatchObject({ user: '=cmd()', raw: odd.toString('hex').toUpperCase() });
      expect(await readdir(scratchFolder)).toEqual([]);
    });

    test('an export that is given up leaves no files', async () => {
      const ending = new AbortController();
      ending.abort();
      const request = checkExport(ExportRequest.fromPartial({ format: ExportFormat.PARQUET }));
      const file = exportEvents(engine, request, { scratchFolder, signal: ending.signal });
      await expect(file[Symbol.asyncIterator]().next()).rejects.toThrow(/gave up|abort/);
      expect(await readdir(scratchFolder)).toEqual([]);
    });
  });
}
