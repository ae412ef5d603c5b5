import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Files, OpenFile } from '@auditing/journal/files';

/** What the file remembers. */
export interface Remembered {
  /** Whether the run that wrote it came to its end. */
  readonly stopped: boolean;
  /** Deaths by step, the oldest first. */
  readonly counts: readonly (readonly [step: string, count: number])[];
}

/*
 * Two slots, written in turn, so that one is whole whenever the process dies. A slot, little-endian: u32 CRC-32 of what
 * follows, u32 bytes of the value, f64 sequence, value (JSON).
 */
const SLOT_BYTES = 64 * 1024;
const HEADER_BYTES = 16;
/** More steps than this have not ended the process before it was looked after; their values fit a slot. */
const COUNTS_MAX = 1_000;

interface Slot {
  readonly sequence: number;
  readonly remembered: Remembered;
}

/**
 * A few counts that outlive the process, whenever it dies, but not a loss of power: they are with the kernel when `save`
 * returns, and nothing is synced. So saving takes microseconds, also on a disk that is busy.
 */
export class AttemptsFile {
  readonly #file: OpenFile;
  #sequence: number;

  private constructor(file: OpenFile, last: Slot | undefined) {
    this.#file = file;
    this.#sequence = last?.sequence ?? 0;
    this.last = last?.remembered;
  }

  /** What was saved last; undefined if there is nothing, or nothing that is whole: then counting begins anew. */
  readonly last: Remembered | undefined;

  /** Opens the file, or makes it and its folder. */
  static async open(files: Files, path: string): Promise<AttemptsFile> {
    await files.makeDirectory(dirname(path));
    const file = await files.open(path, 'write').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return files.open(path, 'create');
    });
    const slots = [
      decodeSlot(await file.read(0, SLOT_BYTES)),
      decodeSlot(await file.read(SLOT_BYTES, SLOT_BYTES)),
    ];
    const [last] = slots
      .filter((slot) => slot !== undefined)
      .sort((a, b) => b.sequence - a.sequence);
    return new AttemptsFile(file, last);
  }

  /** Throws if the file cannot be written. */
  save({ stopped, counts }: Remembered): void {
    this.#sequence += 1;
    const slot = encodeSlot({
      sequence: this.#sequence,
      remembered: { stopped, counts: counts.slice(-COUNTS_MAX) },
    });
    this.#file.writeNow((this.#sequence % 2) * SLOT_BYTES, slot);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

function encodeSlot({ sequence, remembered }: Slot): Buffer {
  const value = Buffer.from(JSON.stringify(remembered));
  const slot = Buffer.alloc(HEADER_BYTES + value.length);
  slot.writeUInt32LE(value.length, 4);
  slot.writeDoubleLE(sequence, 8);
  value.copy(slot, HEADER_BYTES);
  slot.writeUInt32LE(crc32(slot.subarray(4)), 0);
  return slot;
}

function decodeSlot(bytes: Buffer): Slot | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const end = HEADER_BYTES + bytes.readUInt32LE(4);
  if (end > bytes.length || crc32(bytes.subarray(4, end)) !== bytes.readUInt32LE(0))
    return undefined;
  return {
    sequence: bytes.readDoubleLE(8),
    remembered: JSON.parse(bytes.subarray(HEADER_BYTES, end).toString()) as Remembered,
  };
}
