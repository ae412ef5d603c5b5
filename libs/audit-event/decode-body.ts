import { Source } from '@auditing/proto/event';
import { BodyReader, type ItemReader } from './body-reader';
import { type DecodedEvent, decodeEvent, tabledEvent } from './decoded-event';
import { EventScanner } from './event-scanner';
import { EventTable } from './event-table';
import { type BadItem, checkAnyGood, checkCount } from './split-body';
import { inTurn, type PaceOptions } from './pace';

/** A body, read. */
export interface DecodedBody {
  /** The events, in order. */
  readonly events: DecodedEvent[];
  /** What is no event, among them items that are not valid JSON. */
  readonly badItems: BadItem[];
  /** As in SplitBody. */
  readonly listSource: Source;
}

/**
 * Splits a body as splitBody does and parses every event, giving way to the event loop every few milliseconds.
 *
 * Every event of the answer is proven to be one valid JSON object, request and response objects included, though
 * those of large events are not built before somebody asks for them.
 *
 * Rejects with BodyError when no event can be read from the body.
 */
export async function decodeBody(body: Buffer, options: PaceOptions = {}): Promise<DecodedBody> {
  const decoding = await inTurn(options, async (pace) => {
    const begun = new Decoding(body);
    const turns = begun.reader.read();
    try {
      while (turns.next().done !== true) if (pace.isDue()) await pace.giveWay();
    } finally {
      begun.scanner.release();
    }
    return begun;
  });
  const { events, badItems, reader } = decoding;
  checkAnyGood(events.length, badItems);
  return { events, badItems, listSource: reader.listSource };
}

/** Reads what it can by the bytes, and has the rest parsed. */
class Decoding implements ItemReader {
  readonly reader: BodyReader;
  readonly events: DecodedEvent[] = [];
  readonly badItems: BadItem[] = [];
  readonly table = new EventTable();
  readonly scanner: EventScanner;
  /** Where the item begins that was read last by its bytes. */
  private scannedStart = -1;
  /** The position after it; -1 if it is left to be parsed. */
  private scannedEnd = -1;

  constructor(private readonly body: Buffer) {
    this.reader = new BodyReader(body, this);
    this.scanner = new EventScanner(body, this.table);
  }

  end(start: number): number {
    this.scannedStart = start;
    this.scannedEnd = this.scanner.scan(start);
    return this.scannedEnd;
  }

  item(start: number, end: number, reason: string | undefined): void {
    const bytes = this.body.subarray(start, end);
    const decoded = reason ?? this.scannedEvent(start, bytes) ?? this.parsedEvent(bytes);
    if (typeof decoded === 'string') {
      this.badItems.push({ at: this.reader.placeOf(start), bytes, reason: decoded });
    } else this.events.push(decoded);
    checkCount(this.events.length + this.badItems.length);
  }

  private scannedEvent(start: number, bytes: Buffer): DecodedEvent | undefined {
    // Who reads a list has asked already.
    if (this.scannedStart !== start) this.end(start);
    if (this.scannedEnd < 0) return undefined;
    return scannedEvent(this.scanner, bytes, this);
  }

  get listSource(): Source {
    return this.reader.listSource;
  }

  private parsedEvent(bytes: Buffer): DecodedEvent | string {
    const decoded = tryDecode(bytes, this.reader.listSource);
    if (typeof decoded !== 'string') decoded.moveInto(this.table);
    return decoded;
  }
}

/** The event that a scanner has read last; its bytes are these. */
export function scannedEvent(
  { row, source, bodies }: EventScanner,
  bytes: Buffer,
  { table, listSource }: { readonly table: EventTable; readonly listSource: Source },
): DecodedEvent {
  const known = source === Source.UNSPECIFIED ? listSource : source;
  return tabledEvent(bytes, known, { spans: bodies, table, row });
}

/** The event, or why it is none. */
function tryDecode(bytes: Buffer, listSource: Source): DecodedEvent | string {
  try {
    return decodeEvent(bytes, listSource);
  } catch (error) {
    if (error instanceof SyntaxError) return `not valid JSON: ${error.message}`;
    throw error;
  }
}
