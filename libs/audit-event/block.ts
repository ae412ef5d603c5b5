import type { Block } from '@auditing/proto/event';

/** A block cannot be read: damaged, too large, or not of the size it claims. */
export declare class BlockError extends Error {}
/** Compresses events, back to back. */
export declare function compressBlock(chunks: readonly Buffer[]): Promise<Block>;
/** The bytes of a block. Rejects with BlockError. */
export declare function decompressBlock(block: Block): Promise<Buffer>;
/** Cuts a decompressed block into its events (views). Throws BlockError unless the lengths fit exactly. */
export declare function sliceBlock(raw: Buffer, sliceBytes: readonly number[]): Buffer[];
