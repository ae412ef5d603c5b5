import { COLUMN_FIELDS } from './column-fields';
import { SCANNER } from './gen/scanner';
import { EMPTY_COLUMNS, EVENT_KEYS, OBJECT_REF_KEYS, type ScanKey } from './scan-keys';

/** What assembly/scanner.ts exports. Numbers are addresses in its memory where nothing else is said. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  keyTextAt(): number;
  rowAt(): number;
  eventAt(): number;
  addTable(): number;
  addKey(table: number, length: number): number;
  describeKey(
    key: number,
    read: number,
    column: number,
    below: number,
    bit: number,
    source: number,
  ): void;
  useTables(ofEvent: number, ofObjectRef: number): void;
  setColumns(count: number): void;
  setEmpty(column: number, kind: number): void;
  begin(length: number): number;
  isJson(): number;
  scan(start: number): number;
}

/** What it asks of whoever reads a body: assembly/host.ts says what each is. */
export interface ScanHost {
  newValue(column: number, start: number, end: number): number;
  usualValue(column: number, start: number, end: number): number;
  oddText(column: number, start: number, end: number): number;
  emptyText(column: number): number;
  microsOf(start: number, end: number): number;
  minuteOf(start: number, end: number): number;
}

/** EMPTY_… in assembly/cells.ts. */
const EMPTY_ALWAYS = 1;
const EMPTY_IN_OBJECT_REF = 2;

/** Machines that are kept for the next bodies: one is at work at a time (pace.ts), but for tests and JSON that is checked. */
const MAX_FREE = 2;
/**
 * One that read a larger body is not kept: memory of WebAssembly never shrinks. 400 events of 13 KB, the most that an API server
 * sends at once unless it is told otherwise, are 5 MB.
 */
const MAX_FREE_BYTES = 8 * 2 ** 20;
const FREE: ScanMachine[] = [];

const NO_HOST: ScanHost = {
  newValue: notAtWork,
  usualValue: notAtWork,
  oddText: notAtWork,
  emptyText: notAtWork,
  microsOf: notAtWork,
  minuteOf: notAtWork,
};
let compiled: WebAssembly.Module | undefined;

/** The scanner of WebAssembly (assembly/scanner.ts) with memory of its own, in which there is one body at a time. */
export class ScanMachine {
  /** Where the body begins in memory. */
  base = 0;
  /** Of the event that was read last, the places of its values by column. */
  row = new Int32Array();
  /** Of the event that was read last: who spells its id so, and where its bodies begin and end. */
  facts = new Int32Array();
  /** Of the event that was read last: when it was received and when its stage was reached, in microseconds since 1970. */
  times = new Float64Array();
  readonly #exports: Exports;
  #host = NO_HOST;

  private constructor() {
    compiled ??= new WebAssembly.Module(SCANNER);
    const { exports } = new WebAssembly.Instance(compiled, { host: this.#imports() });
    this.#exports = exports as Exports;
    const ofObjectRef = this.#addTable(OBJECT_REF_KEYS);
    const ofEvent = this.#addTable(EVENT_KEYS, new Map([[OBJECT_REF_KEYS, ofObjectRef]]));
    this.#exports.useTables(ofEvent, ofObjectRef);
    this.#exports.setColumns(COLUMN_FIELDS.length);
    for (const column of EMPTY_COLUMNS.ofEvent) this.#exports.setEmpty(column, EMPTY_ALWAYS);
    for (const column of EMPTY_COLUMNS.ofObjectRef)
      this.#exports.setEmpty(column, EMPTY_IN_OBJECT_REF);
  }

  /** One with a body in it. Whoever is done with it gives it back by `release`. */
  static take(body: Uint8Array, host = NO_HOST): ScanMachine {
    const machine = FREE.pop() ?? new ScanMachine();
    machine.#begin(body, host);
    return machine;
  }

  /** Lets go of the body, once. Nothing is to be read after it. */
  release(): void {
    this.#host = NO_HOST;
    const { byteLength } = this.#exports.memory.buffer;
    if (FREE.length < MAX_FREE && byteLength <= MAX_FREE_BYTES) FREE.push(this);
  }

  /** Reads the event that begins at `start` of the body. The position after it; -1 if that is for JSON.parse to do. */
  scan(start: number): number {
    const end = this.#exports.scan(this.base + start);
    return end === 0 ? -1 : end - this.base;
  }

  /** True if the body is one JSON value, nested at most MAX_DEPTH deep, with nothing but white space around it. */
  isJson(): boolean {
    return this.#exports.isJson() !== 0;
  }

  /** What the host does, with addresses for positions. */
  #imports(): ScanHost {
    return {
      newValue: (column, start, end) =>
        this.#host.newValue(column, start - this.base, end - this.base),
      usualValue: (column, start, end) =>
        this.#host.usualValue(column, start - this.base, end - this.base),
      oddText: (column, start, end) =>
        this.#host.oddText(column, start - this.base, end - this.base),
      emptyText: (column) => this.#host.emptyText(column),
      microsOf: (start, end) => this.#host.microsOf(start - this.base, end - this.base),
      minuteOf: (start, end) => this.#host.minuteOf(start - this.base, end - this.base),
    };
  }

  #begin(body: Uint8Array, host: ScanHost): void {
    this.#host = host;
    this.base = this.#exports.begin(body.length);
    const { buffer } = this.#exports.memory;
    new Uint8Array(buffer, this.base, body.length).set(body);
    // Its memory may have grown: then it is another buffer.
    if (this.row.buffer === buffer) return;
    const event = this.#exports.eventAt();
    this.row = new Int32Array(buffer, this.#exports.rowAt(), COLUMN_FIELDS.length);
    this.times = new Float64Array(buffer, event, 2);
    this.facts = new Int32Array(buffer, event + this.times.byteLength, 5);
  }

  #addTable(keys: readonly ScanKey[], known = new Map<readonly ScanKey[], number>()): number {
    const exports = this.#exports;
    const table = exports.addTable();
    for (const { text, read, column, below, bit, source } of keys) {
      const belowTable = below && (known.get(below) ?? this.#addTable(below));
      const member = Buffer.from(`"${text}":`);
      new Uint8Array(exports.memory.buffer).set(member, exports.keyTextAt());
      const key = exports.addKey(table, member.length);
      exports.describeKey(key, read, column, belowTable ?? 0, bit, source);
      if (below && belowTable !== undefined) known.set(below, belowTable);
    }
    return table;
  }
}

function notAtWork(): never {
  throw new Error('the scanner asked for something while it read no event');
}
