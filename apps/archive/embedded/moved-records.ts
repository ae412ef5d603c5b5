import { FRAME_HEADER_BYTES } from '@auditing/journal/frame';
import { placeInJournal, REWRITTEN, type Journal, type Segment } from '@auditing/journal/journal';
import { KeptBatch } from '@auditing/proto/archive';

import { toldBatch } from './log-record';

/** Segments whose tables are kept: queries under way ask for records that were joined under their hands, most of one. */
const TABLES_MAX = 2;

/** Where a record has gone. */
export interface MovedRecord {
  /** Position of the record of joined batches that holds it now. */
  readonly position: number;
  /** Which of the batches it is. */
  readonly batch: number;
}

interface JoinedRecord {
  readonly position: number;
  /** Where the first of its batches was. */
  readonly oldPosition: number;
  /** What each batch took there. */
  readonly logBytes: readonly number[];
}

/**
 * Finds records by the positions they had before their segment was rewritten: a query that began before, or a slow listener,
 * asks for them so.
 */
export class MovedRecords {
  readonly #journal: Pick<Journal, 'read' | 'segments'>;
  readonly #tables = new Map<number, Promise<readonly JoinedRecord[]>>();

  constructor(journal: Pick<Journal, 'read' | 'segments'>) {
    this.#journal = journal;
  }

  /** Undefined if the segment was not rewritten, or no record was there. Rejects as reading does. */
  async find(position: number): Promise<MovedRecord | undefined> {
    if (position >= REWRITTEN) return undefined;
    const segment = this.#journal.segments().find(({ end }) => end > position);
    if (segment?.isRewritten !== true || segment.start > position) return undefined;
    const table = await this.#table(segment);
    const record = table.findLast(({ oldPosition }) => oldPosition <= position);
    if (record === undefined) return undefined;
    let at = record.oldPosition;
    const batch = record.logBytes.findIndex((bytes) => {
      if (at === position) return true;
      at += bytes;
      return false;
    });
    return batch === -1 ? undefined : { position: record.position, batch };
  }

  #table(segment: Segment): Promise<readonly JoinedRecord[]> {
    const known = this.#tables.get(segment.start);
    if (known !== undefined) return known;
    const table = this.#read(segment);
    for (const oldest of this.#tables.keys()) {
      if (this.#tables.size >= TABLES_MAX) this.#tables.delete(oldest);
    }
    this.#tables.set(segment.start, table);
    table.catch(() => this.#tables.delete(segment.start));
    return table;
  }

  async #read({ start, end }: Segment): Promise<readonly JoinedRecord[]> {
    const table: JoinedRecord[] = [];
    let oldPosition: number | undefined;
    for await (const { position, data } of this.#journal.read(start)) {
      if (placeInJournal(position) >= end) break;
      // The header of the file is as long as it was.
      oldPosition ??= placeInJournal(position);
      const { joined } = await toldBatch(KeptBatch.decode(data));
      const logBytes = joined?.logBytes ?? [FRAME_HEADER_BYTES + data.length];
      table.push({ position, oldPosition, logBytes });
      oldPosition += logBytes.reduce((sum, bytes) => sum + bytes, 0);
    }
    return table;
  }
}
