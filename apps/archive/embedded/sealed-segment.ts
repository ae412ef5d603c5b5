import { join } from 'node:path';

import { status } from '@grpc/grpc-js';
import type { Files } from '@auditing/journal/files';
import { Field } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';

import type { ByteCache, Sized } from './byte-cache';
import type { CodedColumn } from './column';
import { SealedKeys, type SegmentKeys } from './sealed-keys';
import type { IndexedSegment, RecordTable, SegmentIndex, SegmentSummary } from './segment-index';
import {
  columnName,
  decodeColumn,
  decodeHeader,
  decodeIds,
  decodeNumbers,
  decodeRecords,
  decodeSection,
  encodeSidecar,
  headBytes,
  HEAD_READ_BYTES,
  SidecarError,
  type EncodedSidecar,
  type SidecarHeader,
  type SidecarOrigin,
  type SidecarSection,
} from './sidecar';
import { writeAtomically } from './write-atomically';

/** What sealed segments share. */
export interface SidecarStore {
  readonly files: Files;
  /** Folder of the sidecars. */
  readonly directory: string;
  /** Sections that are loaded, of all segments. */
  readonly cache: ByteCache<unknown>;
  /** Makes the index of a segment anew from its records. */
  readonly rebuild: (segment: SegmentPlace) => Promise<RebuiltIndex>;
  /**
   * Joins the small batches of a segment that is about to be sealed (join-segment.ts); false if that was not done. Rejects
   * if the segment is not to be sealed now.
   */
  readonly join: (segment: SegmentPlace, index: SegmentIndex) => Promise<boolean>;
  /** Told why a sidecar is made anew, or could not be written. */
  readonly onTrouble: (
    message: string,
    details: { readonly segment: number; readonly err: unknown },
  ) => void;
}

/** Runs a piece of work when those before it are done. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** Which bytes of the log a segment has. */
export interface SegmentPlace {
  readonly start: number;
  readonly end: number;
  /** Whether its small batches were joined. */
  readonly isRewritten: boolean;
}

/** An index, and what its records said besides. */
export interface RebuiltIndex {
  readonly index: SegmentIndex;
  readonly origin: SidecarOrigin;
}

/** Name of the sidecar of the segment that begins at a position. */
export function sidecarName(start: number): string {
  return `${String(start).padStart(16, '0')}.idx`;
}

/**
 * A segment that is written no more, seen through its sidecar. Only the header stays in memory; sections are read when
 * they are asked for. A sidecar that is lost, stale or damaged is made anew from the log, once, and the question answered.
 */
export class SealedSegment implements IndexedSegment {
  readonly #store: SidecarStore;
  #header: SidecarHeader;
  #isGone = false;

  private constructor(
    store: SidecarStore,
    readonly place: SegmentPlace,
    header: SidecarHeader,
  ) {
    this.#store = store;
    this.#header = header;
  }

  /** Reads the header of the sidecar, or makes the sidecar: without one, the segment ended but is yet to be sealed. */
  static async open(
    store: SidecarStore,
    place: SegmentPlace,
    inTurn: InTurn,
  ): Promise<SealedSegment> {
    try {
      return new SealedSegment(store, place, await readHeader(store, place));
    } catch (err) {
      store.onTrouble('sidecar is made anew', { segment: place.start, err });
      if (isUnsealed(err))
        return inTurn(async () => SealedSegment.seal(store, place, await store.rebuild(place)));
      return new SealedSegment(store, place, (await inTurn(() => remade(store, place))).header);
    }
  }

  /** Joins small batches, and writes the sidecar of an index that is in memory. */
  static async seal(
    store: SidecarStore,
    place: SegmentPlace,
    { index, origin }: RebuiltIndex,
  ): Promise<SealedSegment> {
    const isRewritten = place.isRewritten || (await store.join(place, index));
    const sealed = { ...place, isRewritten };
    const encoded = await encodeSidecar(index, { ...origin, isRewritten });
    await save(store, sealed, encoded);
    return new SealedSegment(store, sealed, encoded.header);
  }

  get start(): number {
    return this.place.start;
  }

  get summary(): SegmentSummary {
    return this.#header;
  }

  get header(): SidecarHeader {
    return this.#header;
  }

  /** Size of the sidecar. */
  get bytes(): number {
    const last = this.#header.sections.at(-1);
    return last === undefined ? 0 : last.offset + last.bytes;
  }

  times(): Promise<Float64Array> {
    return this.#section('times', (raw) => ({ value: decodeNumbers(raw), bytes: raw.length }));
  }

  column(field: Field): Promise<CodedColumn> {
    return this.#section(columnName(field), (raw) => {
      if (field === Field.AUDIT_ID) return { value: decodeIds(raw), bytes: raw.length };
      const value = decodeColumn(raw);
      return { value, bytes: 2 * raw.length + 48 * value.values.length };
    });
  }

  records(): Promise<RecordTable> {
    return this.#section('records', (raw) => ({ value: decodeRecords(raw), bytes: raw.length }));
  }

  keys(): Promise<SegmentKeys> {
    return this.#section('keys', (raw) => {
      const value = new SealedKeys(raw);
      return { value, bytes: value.bytes };
    });
  }

  derived<Value>(name: string, work: () => Promise<Sized<Value>>): Promise<Value> {
    // As with sections: each name is of one caller.
    return this.#store.cache.get(`${this.start}/derived/${name}`, work) as Promise<Value>;
  }

  /** It was removed: frees what is cached of it, and makes nothing anew for queries that still ask. */
  forget(): void {
    this.#isGone = true;
    this.#store.cache.drop(`${this.start}/`);
  }

  #section<Value>(name: string, decode: (raw: Buffer) => Sized<Value>): Promise<Value> {
    const load = async (): Promise<Sized<Value>> => decode(await this.#readSection(name));
    // The name says what is behind it: each is loaded by one caller above.
    return this.#store.cache.get(`${this.start}/${name}`, load) as Promise<Value>;
  }

  async #readSection(name: string): Promise<Buffer> {
    try {
      const section = sectionNamed(this.#header, name);
      return await decodeSection(section, await readBytes(this.#store, this.place, section));
    } catch (err) {
      if (this.#isGone) throw goneError();
      this.#store.onTrouble('sidecar is made anew', { segment: this.start, err });
    }
    const { header, sections } = await remade(this.#store, this.place);
    this.#header = header;
    const section = sectionNamed(header, name);
    return decodeSection(section, sections[header.sections.indexOf(section)] ?? Buffer.alloc(0));
  }
}

/** The sidecar is what was saved of the segment while it was written to. */
class UnsealedError extends SidecarError {}

function isUnsealed(error: unknown): boolean {
  return error instanceof UnsealedError || (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function goneError(): RpcError {
  return new RpcError(
    status.UNAVAILABLE,
    'retention removed events while the query was reading them; ask again',
  );
}

function sectionNamed(header: SidecarHeader, name: string): SidecarSection {
  const section = header.sections.find((one) => one.name === name);
  if (section === undefined) throw new SidecarError(`no section ${name}`);
  return section;
}

/**
 * The sidecar of a segment, made from its records, and written if that is possible. It stays in memory like sections do, so
 * that a disk on which nothing can be written does not make every question a rebuild.
 */
function remade(store: SidecarStore, place: SegmentPlace): Promise<EncodedSidecar> {
  const load = async (): Promise<Sized<EncodedSidecar>> => {
    const { index, origin } = await store.rebuild(place);
    const value = await encodeSidecar(index, origin);
    await save(store, place, value);
    return { value, bytes: value.sections.reduce((sum, { length }) => sum + length, 0) };
  };
  return store.cache.get(`${place.start}/remade`, load) as Promise<EncodedSidecar>;
}

/** Never rejects: the sidecar can be made again, and the log has what counts. */
async function save(
  store: SidecarStore,
  place: SegmentPlace,
  encoded: EncodedSidecar,
): Promise<void> {
  try {
    await writeAtomically(store.files, pathOf(store, place), [
      ...encoded.head,
      ...encoded.sections,
    ]);
  } catch (err) {
    store.onTrouble('sidecar could not be written', { segment: place.start, err });
  }
}

async function readHeader(store: SidecarStore, place: SegmentPlace): Promise<SidecarHeader> {
  const file = await store.files.open(pathOf(store, place), 'read');
  try {
    let beginning = await file.read(0, HEAD_READ_BYTES);
    const wanted = headBytes(beginning);
    if (wanted > beginning.length) beginning = await file.read(0, wanted);
    const header = decodeHeader(beginning);
    if (!header.isSealed)
      throw new UnsealedError('stale: it was saved before the segment was sealed');
    if (header.segmentStart !== place.start || header.segmentEnd !== place.end) {
      throw new SidecarError(
        `stale: it was made from ${header.segmentStart} to ${header.segmentEnd}`,
      );
    }
    if (header.isRewritten !== place.isRewritten)
      throw new SidecarError('stale: it was made before small batches were joined');
    return header;
  } finally {
    await file.close();
  }
}

async function readBytes(
  store: SidecarStore,
  place: SegmentPlace,
  section: SidecarSection,
): Promise<Buffer> {
  const file = await store.files.open(pathOf(store, place), 'read');
  try {
    const beginning = headBytes(await file.read(0, HEAD_READ_BYTES));
    return await file.read(beginning + section.offset, section.bytes);
  } finally {
    await file.close();
  }
}

function pathOf(store: SidecarStore, place: SegmentPlace): string {
  return join(store.directory, sidecarName(place.start));
}
