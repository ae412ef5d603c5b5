import { Field, Source } from '@auditing/proto/event';
import { type BodySpans, NO_BODIES, type Span } from './body-spans';
import { COLUMN_FIELDS, columnKind } from './column-fields';
import type { EventTable } from './event-table';
import { ScanMachine, type ScanHost } from './scan-machine';
import { microsFromText } from './timestamp';

/** Columns whose values are read in lower case: the verb's. */
const IS_VERB = COLUMN_FIELDS.map((field) => field === Field.VERB);
const KINDS = COLUMN_FIELDS.map(columnKind);

/** By their numbers. */
const SOURCES = [Source.UNSPECIFIED, Source.KUBERNETES, Source.KUBE_AI_HUB];

const NO_ROW = -1;

/**
 * Reads events out of the bytes of a body, each in one pass that proves it to be valid JSON, and puts what rules and indexes
 * read of it into a table. The pass is WebAssembly (assembly/), sixteen bytes at a time; JavaScript makes the texts of values that
 * were not met before, and nothing else is built: it costs less than half of what JSON.parse does, and leaves the garbage collector
 * next to nothing.
 *
 * What is unusual (another spelling of a key, a key twice, a value of another type than API servers send, JSON that is not
 * valid) it does not read: it says so, and JSON.parse decides what that is.
 */
export class EventScanner implements ScanHost {
  readonly #body: Buffer;
  readonly #table: EventTable;
  readonly #machine: ScanMachine;
  /** The row of the event that was read last. */
  row = NO_ROW;
  #start = 0;
  #isReleased = false;

  constructor(body: Buffer, table: EventTable) {
    this.#body = body;
    this.#table = table;
    this.#machine = ScanMachine.take(body, this);
  }

  /** Gives back what it read with, at the first call. No event is to be read after it. */
  release(): void {
    if (!this.#isReleased) this.#machine.release();
    this.#isReleased = true;
  }

  /** Reads the event that begins at `start`. The position after it; -1 if that is for JSON.parse to do. */
  scan(start: number): number {
    const machine = this.#machine;
    this.#start = machine.base + start;
    const end = machine.scan(start);
    if (end < 0) {
      // Values may be there now that no row has.
      this.#table.hasUnused = true;
      return -1;
    }
    const { times } = machine;
    this.row = this.#table.addRow(machine.row, times[0] ?? 0, times[1] ?? 0);
    return end;
  }

  /** Of the event that was read last, by its own keys; UNSPECIFIED if they do not say it. */
  get source(): Source {
    return SOURCES[this.#machine.facts[0] ?? 0] ?? Source.UNSPECIFIED;
  }

  /** Where the bodies of the event that was read last are, from its own beginning on. */
  get bodies(): BodySpans {
    const [, requestStart = 0, requestEnd = 0, responseStart = 0, responseEnd = 0] =
      this.#machine.facts;
    if (requestStart === 0 && responseStart === 0) return NO_BODIES;
    return {
      RequestObject: this.#span(requestStart, requestEnd),
      ResponseObject: this.#span(responseStart, responseEnd),
    };
  }

  #span(start: number, end: number): Span | undefined {
    return start === 0 ? undefined : { start: start - this.#start, end: end - this.#start };
  }

  newValue(column: number, start: number, end: number): number {
    return this.#table.placeCell(column, this.#cell(column, start, end), true);
  }

  usualValue(column: number, start: number, end: number): number {
    if (KINDS[column] === 'number')
      return this.#table.place(column, Number(this.#plain(start, end)));
    return this.#table.placeCell(column, this.#cell(column, start, end), false);
  }

  oddText(column: number, start: number, end: number): number {
    const text = JSON.parse(this.#body.toString('utf8', start, end)) as string;
    return this.#table.place(column, text);
  }

  emptyText(column: number): number {
    return this.#table.place(column, '');
  }

  microsOf(start: number, end: number): number {
    return microsFromText(this.#plain(start, end));
  }

  minuteOf(start: number, end: number): number {
    return microsFromText(`${this.#plain(start, end)}00Z`);
  }

  /** A value as its column writes it; a list is written so by programs, too. */
  #cell(column: number, start: number, end: number): string {
    if (KINDS[column] === 'list') return this.#plain(start, end);
    const text = this.#plain(start + 1, end - 1);
    return IS_VERB[column] ? text.toLowerCase() : text;
  }

  /** A text that is all ASCII. */
  #plain(start: number, end: number): string {
    return this.#body.toString('latin1', start, end);
  }
}
