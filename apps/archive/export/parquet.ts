import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

import { status } from '@grpc/grpc-js';
import type { AuditEvent } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';
import type { DuckDBInstance } from '@duckdb/node-api';

import { EXPORT_COLUMNS, type ExportKind } from './export-columns';
import type { ExportedFile, ExportPlace } from './export-events';

/** DuckDB holds row groups in memory until they are written; above this it uses the folder. */
const MEMORY_LIMIT = '256MB';
/** Rows of a row group: with the bytes of events some 25 MB. */
const ROW_GROUP_ROWS = 20_480;
/** The reader of rows wants a buffer for the longest: a row is its event in base64, and the cells. */
const ROW_BYTES_MIN = 2 ** 20;
const GZIP_LEVEL = 1;

const SQL_TYPES: Readonly<Record<ExportKind, string>> = {
  text: 'VARCHAR',
  list: 'VARCHAR[]',
  time: 'TIMESTAMP',
  number: 'INTEGER',
};

/**
 * A Parquet file: the columns, and the bytes of each event as `raw`. Its footer comes last and says where everything lies,
 * so the events go to a scratch file first.
 *
 * @throws FAILED_PRECONDITION where @duckdb/node-api is not installed.
 */
export async function* parquet(
  events: AsyncIterable<AuditEvent>,
  { scratchFolder, signal }: ExportPlace,
): ExportedFile {
  const duckDb = await loadDuckDb();
  await mkdir(scratchFolder, { recursive: true });
  const folder = await mkdtemp(join(scratchFolder, 'parquet-'));
  try {
    const rows = join(folder, 'rows.ndjson.gz');
    const file = join(folder, 'events.parquet');
    const written = await writeRows(rows, events, signal);
    const instance = await duckDb.DuckDBInstance.create(':memory:', {
      memory_limit: MEMORY_LIMIT,
      threads: '1',
      temp_directory: folder,
      // Rows hold what strangers sent: nothing but this folder is to be read, whatever happens.
      autoinstall_known_extensions: 'false',
    });
    try {
      const connection = await instance.connect();
      await connection.run(copyStatement(rows, file, written.longestRowBytes));
      connection.closeSync();
    } finally {
      instance.closeSync();
    }
    let eventCount = written.eventCount;
    for await (const data of createReadStream(file, { highWaterMark: 2 ** 20, signal })) {
      yield { data: data as Buffer, eventCount };
      eventCount = 0;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface WrittenRows {
  readonly eventCount: number;
  readonly longestRowBytes: number;
}

async function writeRows(
  path: string,
  events: AsyncIterable<AuditEvent>,
  signal: AbortSignal,
): Promise<WrittenRows> {
  let eventCount = 0;
  let longestRowBytes = 0;
  const rows = async function* (): AsyncIterable<Buffer> {
    for await (const event of events) {
      const cells = EXPORT_COLUMNS.map(({ name, value }) => [name, value(event)]);
      const row = { ...Object.fromEntries(cells), raw: event.raw.toString('base64') } as object;
      const line = Buffer.from(`${JSON.stringify(row)}\n`);
      eventCount += 1;
      longestRowBytes = Math.max(longestRowBytes, line.length);
      yield line;
    }
  };
  const gzip = createGzip({ level: GZIP_LEVEL });
  await pipeline(Readable.from(rows()), gzip, createWriteStream(path), { signal });
  return { eventCount, longestRowBytes };
}

function copyStatement(rows: string, file: string, longestRowBytes: number): string {
  const types = EXPORT_COLUMNS.map(({ name, kind }) => `${quoted(name)}: '${SQL_TYPES[kind]}'`);
  const names = EXPORT_COLUMNS.map(({ name }) => `"${name}"`);
  const rowBytes = Math.max(ROW_BYTES_MIN, longestRowBytes + 1);
  return (
    `COPY (SELECT ${names.join(', ')}, from_base64(raw) AS raw ` +
    `FROM read_json(${quoted(rows)}, format = 'newline_delimited', compression = 'gzip', ` +
    `maximum_object_size = ${rowBytes}, columns = {${types.join(', ')}, 'raw': 'VARCHAR'})) ` +
    `TO ${quoted(file)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`
  );
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

async function loadDuckDb(): Promise<{ readonly DuckDBInstance: typeof DuckDBInstance }> {
  try {
    return await import('@duckdb/node-api');
  } catch (cause) {
    throw new RpcError(
      status.FAILED_PRECONDITION,
      'format: Parquet needs the optional package @duckdb/node-api, which is not installed here: install it beside the ' +
        'archive (npm install @duckdb/node-api) and start the archive again, or ask for NDJSON or CSV',
      { cause },
    );
  }
}
