import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { type Block, Codec } from '@auditing/proto/event';
import { loadZstd, zstdContentBound } from './zstd';

/** A block cannot be read: damaged, too large, or not of the size it claims. */
export class BlockError extends Error {
  override readonly name = 'BlockError';
}

/**
 * Largest content of a block. A block is about 1 MB, or one event where that is larger; no event is larger than the
 * largest body that is taken.
 */
export const MAX_BLOCK_BYTES = 256 * 1024 * 1024;

/** Below this size a block is stored as it is: compressing would gain less than a call into the pool costs. */
const PLAIN_BELOW_BYTES = 256;
/** Higher levels give hardly smaller blocks and cost several times as much. */
const ZSTD_LEVEL = 1;
const DEFLATE_LEVEL = 1;
/**
 * How much more than its claim a zstd frame may be able to hold: its blocks say only that each holds at most 128 KiB,
 * and an encoder may cut blocks as small as a few KiB.
 */
const ZSTD_BOUND_FACTOR = 32;
const ZSTD_BOUND_SPARE_BYTES = 1024 * 1024;

/** A block of usual size fits. */
const ROOM_BYTES = 1024 * 1024;
/** As many as are compressed at once by Node's pool of threads. */
const SPARE_ROOMS_MAX = 8;
/**
 * Where events are put together to be compressed. An array for each block would be the largest piece of garbage that a batch
 * leaves, and its first touch costs four times what copying does.
 */
const spareRooms: Buffer[] = [];

const deflate = promisify<Buffer, { level: number }, Buffer>(deflateRaw);
const inflate = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw);

/** Compresses events, back to back: by zstd, or by deflate where zstd's native library is not to be had. */
export async function compressBlock(chunks: readonly Buffer[]): Promise<Block> {
  let rawBytes = 0;
  for (const { length } of chunks) rawBytes += length;
  if (rawBytes > MAX_BLOCK_BYTES) {
    throw new BlockError(`a block holds at most ${MAX_BLOCK_BYTES} bytes, not ${rawBytes}`);
  }
  if (rawBytes < PLAIN_BELOW_BYTES)
    return { codec: Codec.NONE, data: Buffer.concat(chunks), rawBytes };
  if (rawBytes > ROOM_BYTES) return compressed(Buffer.concat(chunks));
  const room = spareRooms.pop() ?? Buffer.allocUnsafe(ROOM_BYTES);
  try {
    let end = 0;
    for (const chunk of chunks) {
      room.set(chunk, end);
      end += chunk.length;
    }
    return await compressed(room.subarray(0, end));
  } finally {
    if (spareRooms.length < SPARE_ROOMS_MAX) spareRooms.push(room);
  }
}

async function compressed(raw: Buffer): Promise<Block> {
  const rawBytes = raw.length;
  const zstd = await loadZstd();
  return zstd
    ? { codec: Codec.ZSTD, data: await zstd.compress(raw, ZSTD_LEVEL), rawBytes }
    : { codec: Codec.DEFLATE, data: await deflate(raw, { level: DEFLATE_LEVEL }), rawBytes };
}

/**
 * The bytes of a block. Rejects with BlockError unless they are exactly as many as the block claims; what a hostile
 * block expands to is bounded before it is expanded.
 */
export async function decompressBlock(block: Block): Promise<Buffer> {
  const { rawBytes } = block;
  if (rawBytes > MAX_BLOCK_BYTES) {
    throw new BlockError(
      `a block holds at most ${MAX_BLOCK_BYTES} bytes, this one claims ${rawBytes}`,
    );
  }
  const raw = await expand(block);
  if (raw.length !== rawBytes) {
    throw new BlockError(
      `the block claims ${rawBytes} bytes but holds ${raw.length}; it is damaged`,
    );
  }
  return raw;
}

async function expand({ codec, data, rawBytes }: Block): Promise<Buffer> {
  switch (codec) {
    case Codec.NONE:
      return data;
    case Codec.ZSTD:
      return expandZstd(data, rawBytes);
    case Codec.DEFLATE:
      // zlib refuses a limit of 0.
      return inflate(data, { maxOutputLength: Math.max(1, rawBytes) }).catch(damaged);
    case Codec.UNSPECIFIED:
    case Codec.UNRECOGNIZED:
      throw new BlockError(`codec ${codec} is not known; the writer is newer than this reader`);
  }
}

async function expandZstd(data: Buffer, rawBytes: number): Promise<Buffer> {
  const bound = zstdContentBound(data);
  if (bound === undefined) throw new BlockError('the block is not one zstd frame; it is damaged');
  if (bound > rawBytes * ZSTD_BOUND_FACTOR + ZSTD_BOUND_SPARE_BYTES) {
    throw new BlockError(`the block claims ${rawBytes} bytes but may expand to ${bound}; refused`);
  }
  const zstd = await loadZstd();
  if (!zstd) {
    throw new BlockError('@mongodb-js/zstd has no build for this platform; read it on another one');
  }
  return zstd.decompress(data).catch(damaged);
}

function damaged(cause: unknown): never {
  throw new BlockError(`the block cannot be expanded: ${String(cause)}`, { cause });
}

/** Cuts the bytes of a block into its events (views). Throws BlockError unless the lengths fit exactly. */
export function sliceBlock(raw: Buffer, sliceBytes: readonly number[]): Buffer[] {
  const bounds = sliceBounds(raw, sliceBytes);
  return sliceBytes.map((_, slice) => raw.subarray(bounds[slice], bounds[slice + 1]));
}

/**
 * Where each event of a block begins, and where the last one ends: for whoever wants few of them, for whom views of all cost
 * more than the work. Throws BlockError unless the lengths fit exactly.
 */
export function sliceBounds(raw: Buffer, sliceBytes: readonly number[]): Uint32Array {
  const bounds = new Uint32Array(sliceBytes.length + 1);
  let end = 0;
  sliceBytes.forEach((length, slice) => (bounds[slice + 1] = end += length));
  if (end !== raw.length) {
    throw new BlockError(`the slices add up to ${end} bytes, the block holds ${raw.length}`);
  }
  return bounds;
}
