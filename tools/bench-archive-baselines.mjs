// What the archive is compared with: SQLite with indexes on what is asked for, and DuckDB on Parquet files.
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { DuckDBInstance } from '@duckdb/node-api';

/** Rows of one Parquet file. */
const FILE_ROWS = 500_000;

function rowOf(text, event) {
  return [
    Date.parse(event.requestReceivedTimestamp) * 1000,
    event.user.username,
    event.verb,
    event.objectRef.namespace,
    event.objectRef.resource,
    event.objectRef.name,
    String(event.responseStatus.code),
    text,
  ];
}

/** @param transactionRows how many rows are inserted in one transaction, at least */
export function sqliteBaseline(path, transactionRows) {
  const database = new Database(path);
  database.exec(`pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -200000;
    create table if not exists events (time_us integer, user text, verb text, namespace text, resource text, name text, code text, raw text);
    create index if not exists by_time on events (time_us);
    create index if not exists by_user on events (user, time_us);
    create index if not exists by_name on events (name, time_us);
    create index if not exists by_code on events (code, time_us);`);
  const insert = database.prepare('insert into events values (?, ?, ?, ?, ?, ?, ?, ?)');
  let cpuUs = 0;
  let openRows = 0;
  const commit = () => {
    if (openRows > 0) database.exec('commit');
    openRows = 0;
  };
  return {
    name: 'SQLite',
    id: 'sqlite',
    insert(texts, events) {
      const before = process.cpuUsage();
      if (openRows === 0) database.exec('begin');
      texts.forEach((text, at) => insert.run(...rowOf(text, events[at])));
      openRows += texts.length;
      if (openRows >= transactionRows) commit();
      const { user, system } = process.cpuUsage(before);
      cpuUs += user + system;
    },
    finish() {
      commit();
      database.exec('pragma wal_checkpoint(truncate)');
    },
    ask: (sql) => database.prepare(sql).all(),
    bytes: () => statSync(path).size,
    ingestUs: () => cpuUs,
    close: () => database.close(),
  };
}

export async function duckDbBaseline(folder) {
  const files = join(folder, 'parquet');
  mkdirSync(files, { recursive: true });
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: '1GB',
    threads: '2',
    temp_directory: folder,
  });
  const connection = await instance.connect();
  const table =
    'create table buffer (time_us bigint, user text, verb text, namespace text, resource text, name text, code text, raw text)';
  await connection.run(table);
  let appender = await connection.createAppender('buffer');
  let rows = 0;
  let fileCount = 0;
  let cpuUs = 0;
  const flush = async () => {
    appender.closeSync();
    await connection.run(
      `copy buffer to '${join(files, `${fileCount}.parquet`)}' (format parquet, compression zstd)`,
    );
    await connection.run('delete from buffer');
    appender = await connection.createAppender('buffer');
    fileCount += 1;
    rows = 0;
  };
  return {
    name: 'DuckDB on Parquet',
    id: 'duckdb',
    async insert(texts, events) {
      const before = process.cpuUsage();
      texts.forEach((text, at) => {
        const [timeUs, ...others] = rowOf(text, events[at]);
        appender.appendBigInt(BigInt(timeUs));
        for (const value of others) appender.appendVarchar(value);
        appender.endRow();
      });
      rows += texts.length;
      if (rows >= FILE_ROWS) await flush();
      const { user, system } = process.cpuUsage(before);
      cpuUs += user + system;
    },
    async finish() {
      if (rows > 0) await flush();
      await connection.run(`create view events as select * from '${join(files, '*.parquet')}'`);
    },
    ask: async (sql) => (await connection.runAndReadAll(sql)).getRows(),
    bytes: () =>
      readdirSync(files).reduce((sum, name) => sum + statSync(join(files, name)).size, 0),
    ingestUs: () => cpuUs,
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}
