/** There is no room: on the disk, or within `maxBytes`. Nothing was written; it works again when there is room. */
export class JournalFullError extends Error {
  override readonly name = 'JournalFullError';
}

/** Writing or syncing failed, or the journal is closed. What was to be written does not count as written. */
export class JournalFailedError extends Error {
  override readonly name = 'JournalFailedError';
}

/** What is on disk at a position is not a whole record. */
export class JournalCorruptError extends Error {
  override readonly name = 'JournalCorruptError';
  /** Where. */
  readonly position: number;
  /** Where reading can go on: the next whole record, or the end of the segment. */
  readonly next: number;

  constructor(message: string, where: { readonly position: number; readonly next: number }) {
    super(message);
    this.position = where.position;
    this.next = where.next;
  }
}
