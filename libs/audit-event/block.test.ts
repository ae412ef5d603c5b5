import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { Codec } from '@auditing/proto/event';
import { BlockError, MAX_BLOCK_BYTES, compressBlock, decompressBlock, sliceBlock } from './block';
import { zstdContentBound } from './zstd';

const JSON_TEXT = Buffer.from('{"level":"Metadata","auditID":"x"}'.repeat(5000));

describe('blocks', () => {
  test.each([
    ['nothing', Buffer.alloc(0), Codec.NONE],
    ['a few bytes', Buffer.from('{"a":1}'), Codec.NONE],
    ['many events', JSON_TEXT, Codec.ZSTD],
    ['random bytes', randomBytes(300_000), Codec.ZSTD],
    ['twenty million equal bytes', Buffer.alloc(20_000_000, 'a'), Codec.ZSTD],
  ])('give %s back', async (_, raw, codec) => {
    const block = await compressBlock([raw.subarray(0, 100), raw.subarray(100)]);
    expect([block.codec, block.rawBytes]).toEqual([codec, raw.length]);
    expect((await decompressBlock(block)).equals(raw)).toBe(true);
  });

  test('that are made at the same time hold each its own', async () => {
    const raws = Array.from({ length: 30 }, (_, place) =>
      // A few are larger than the others, and than what one array for several of them would hold.
      Buffer.alloc(place % 10 === 9 ? 2 ** 20 + place : 400 * (place + 1), `{"place":${place}}`),
    );
    const blocks = raws.map((raw) => compressBlock([raw.subarray(0, 300), raw.subarray(300)]));
    // They are read when they are given: what becomes of them then changes nothing.
    const copies = raws.map((raw) => Buffer.from(raw));
    for (const raw of raws) raw.fill(0);
    const read = await Promise.all(blocks.map(async (block) => decompressBlock(await block)));
    for (const [place, copy] of copies.entries()) expect(read[place]?.equals(copy)).toBe(true);
  });

  test('of deflate are read', async () => {
    const block = {
      codec: Codec.DEFLATE,
      data: deflateRawSync(JSON_TEXT),
      rawBytes: JSON_TEXT.length,
    };
    expect((await decompressBlock(block)).equals(JSON_TEXT)).toBe(true);
  });

  test('that are not as large as they claim are refused', async () => {
    const zstd = await compressBlock([JSON_TEXT]);
    const deflated = {
      codec: Codec.DEFLATE,
      data: deflateRawSync(JSON_TEXT),
      rawBytes: zstd.rawBytes,
    };
    const plain = { codec: Codec.NONE, data: JSON_TEXT, rawBytes: zstd.rawBytes };
    for (const block of [zstd, deflated, plain]) {
      for (const rawBytes of [0, zstd.rawBytes - 1, zstd.rawBytes + 1, MAX_BLOCK_BYTES + 1]) {
        await expect(decompressBlock({ ...block, rawBytes })).rejects.toThrow(BlockError);
      }
    }
  });

  test('that are damaged are refused', async () => {
    const { data, ...rest } = await compressBlock([JSON_TEXT]);
    for (const damaged of [
      data.subarray(0, -1),
      data.subarray(1),
      Buffer.concat([data, data]),
      Buffer.alloc(0),
    ]) {
      await expect(decompressBlock({ ...rest, data: damaged })).rejects.toThrow(BlockError);
      await expect(
        decompressBlock({ ...rest, codec: Codec.DEFLATE, data: damaged }),
      ).rejects.toThrow(BlockError);
    }
    await expect(decompressBlock({ ...rest, data, codec: Codec.UNSPECIFIED })).rejects.toThrow(
      /codec/,
    );
  });

  test('that would expand to far more than they claim are refused before they do', async () => {
    const { data } = await compressBlock([Buffer.alloc(100_000_000)]);
    expect(zstdContentBound(data)).toBeGreaterThanOrEqual(100_000_000);
    await expect(decompressBlock({ codec: Codec.ZSTD, data, rawBytes: 1000 })).rejects.toThrow(
      /may expand to/,
    );
  });

  test('are cut into their slices, which must fit exactly', () => {
    const raw = Buffer.from('abcdef');
    expect(sliceBlock(raw, [1, 0, 5]).map(String)).toEqual(['a', '', 'bcdef']);
    expect(sliceBlock(Buffer.alloc(0), [])).toEqual([]);
    expect(() => sliceBlock(raw, [1, 4])).toThrow(BlockError);
    expect(() => sliceBlock(raw, [1, 6])).toThrow(BlockError);
  });
});
