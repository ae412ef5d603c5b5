import { Source } from '@auditing/proto/event';
import { type BodyItem, BodyReader, type ItemReader, NO_INDEX } from './body-reader';
import { type DecodedEvent, decodeEvent, tabledEvent } from './decoded-event';
import { EventScanner, type ScannedEvent } from './event-scanner';
import { EventTable } from './event-table';
import { type BadItem, checkAnyGood, checkCount } from './split-body';
import { startPace } from './pace';

/** Settings of decodeBody. */
export interface DecodeOptions {
  /** Longest time without giving way to the event loop, in milliseconds. Default 5. */
  readonly yieldEveryMs?: number;
  /** Ends the work: decodeBody rejects with its reason. */
  readonly signal?: AbortSignal;
}

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
export async function decodeBody(body: Buffer, options: DecodeOptions = {}): Promise<DecodedBody> {
  const pace = startPace(options);
  const decoding = new Decoding(body);
  const turns = decoding.reader.read();
  try {
    while (turns.next().done !== true) if (pace.isDue()) await pace.giveWay();
  } finally {
    decoding.scanner.release();
  }
  const { events, badItems, reader } = decoding;
  checkAnyGood(events.length, badItems);
  return { events, badItems, listSource: reader.listSource };
}

/** Reads what it can by the bytes, and has the rest parsed. */
class Decoding implements ItemReader {
  readonly reader: BodyReader;
  readonly events: DecodedEvent[] = [];
  readonly badItems: BadItem[] = [];
  private readonly table = new EventTable();
  readonly scanner: EventScanner;
  private scanned: ScannedEvent | undefined;

  constructor(private readonly body: Buffer) {
    this.reader = new BodyReader(body, this);
    this.scanner = new EventScanner(body, this.table);
  }

  end(start: number): number {
    this.scanned = this.scanner.scan(start);
    return this.scanned?.end ?? -1;
  }

  item(item: BodyItem): void {
    const { start, end } = item;
    const bytes = this.body.subarray(start, end);
    const decoded = item.reason ?? this.scannedEvent(item, bytes) ?? this.parsedEvent(bytes);
    if (typeof decoded === 'string') {
      this.badItems.push({ at: this.reader.placeOf(item), bytes, reason: decoded });
    } else this.events.push(decoded);
    checkCount(this.events.length + this.badItems.length);
  }

  private scannedEvent({ index, start }: BodyItem, bytes: Buffer): DecodedEvent | undefined {
    // Who reads a list has asked already.
    const scanned = index === NO_INDEX ? this.scanner.scan(start) : this.scanned;
    if (scanned?.start !== start) return undefined;
    const { row, source, bodies } = scanned;
    return tabledEvent(bytes, source === Source.UNSPECIFIED ? this.reader.listSource : source, {
      bodies,
      place: { table: this.table, row },
    });
  }

  private parsedEvent(bytes: Buffer): DecodedEvent | string {
    const decoded = tryDecode(bytes, this.reader.listSource);
    if (typeof decoded !== 'string') decoded.moveInto(this.table);
    return decoded;
  }
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
