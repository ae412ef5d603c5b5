import { join } from 'node:path';

import type { Files } from '@auditing/journal/files';
import { Field } from '@auditing/proto/event';

import { INDEXED_FIELDS } from '../indexed-fields';
import { sidecarName } from './sealed-segment';
import { SegmentIndex } from './segment-index';
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
  SidecarError,
  type SidecarHeader,
} from './sidecar';
import { writeAtomically } from './write-atomically';

/** Where sidecars are. */
export interface SidecarFolder {
  readonly files: Files;
  readonly directory: string;
}

/** The index of the segment that is written to, as it was saved. */
export interface SavedIndex {
  /** Without keys, which the log has: `SegmentIndex.addKeys`. */
  readonly index: SegmentIndex;
  /** Position after the last record in it. */
  readonly end: number;
  /** Hash of the segment up to there: only if the log has the same does the index fit it. */
  readonly hash: string;
}

/**
 * Saves the index of the segment that is written to, in the place and form of its sidecar, which will replace it. It is
 * taken as it is at this moment: `end` and `hash` must be of the same. Rejects if it cannot be written.
 */
export async function saveIndex(
  { files, directory }: SidecarFolder,
  index: SegmentIndex,
  { end, hash }: Pick<SavedIndex, 'end' | 'hash'>,
): Promise<void> {
  const state = { isSealed: false, isRewritten: false };
  const origin = { segmentEnd: end, segmentHash: hash, damagedCount: 0, ...state };
  const { head, sections } = await encodeSidecar(index, origin);
  await writeAtomically(files, join(directory, sidecarName(index.start)), [...head, ...sections]);
}

/** What was saved of a segment; undefined if nothing was. Rejects with SidecarError or BlockError if it is damaged. */
export async function readSavedIndex(
  { files, directory }: SidecarFolder,
  start: number,
): Promise<SavedIndex | undefined> {
  if (!(await files.list(directory)).includes(sidecarName(start))) return undefined;
  const file = await files.open(join(directory, sidecarName(start)), 'read');
  try {
    const bytes = await file.read(0, await file.size());
    const header = decodeHeader(bytes);
    if (header.segmentStart !== start) throw new SidecarError(`of ${header.segmentStart}`);
    const index = await decodeIndex(header, bytes.subarray(headBytes(bytes)));
    return { index, end: header.segmentEnd, hash: header.segmentHash };
  } finally {
    await file.close();
  }
}

async function decodeIndex(header: SidecarHeader, bytes: Buffer): Promise<SegmentIndex> {
  const raw = (name: string): Promise<Buffer> => {
    const section = header.sections.find((one) => one.name === name);
    if (section === undefined) throw new SidecarError(`no section ${name}`);
    const { offset } = section;
    return decodeSection(section, bytes.subarray(offset, offset + section.bytes));
  };
  const index = new SegmentIndex(header.segmentStart);
  for (const field of INDEXED_FIELDS) {
    const section = await raw(columnName(field));
    if (field === Field.AUDIT_ID) index.restoreIds(decodeIds(section));
    else index.restoreColumn(field, decodeColumn(section));
  }
  index.restoreRows({
    summary: header,
    times: decodeNumbers(await raw('times')),
    stageTimes: decodeNumbers(await raw('stage-times')),
    records: decodeRecords(await raw('records')),
  });
  return index;
}
