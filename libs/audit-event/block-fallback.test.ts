import { Codec } from '@auditing/proto/event';
import { compressBlock, decompressBlock } from './block';

jest.mock('@mongodb-js/zstd/bindings.js', () => {
  throw new Error('no build for this platform');
});

test('without the native library blocks are deflated, and those of zstd are refused with the reason', async () => {
  const raw = Buffer.from('{"level":"Metadata"}'.repeat(100));
  const block = await compressBlock([raw]);
  expect(block.codec).toBe(Codec.DEFLATE);
  expect(block.data.length).toBeLessThan(100);
  expect((await decompressBlock(block)).equals(raw)).toBe(true);
  const zstd = { codec: Codec.ZSTD, data: Buffer.from('28b52ffd2000010000', 'hex'), rawBytes: 0 };
  await expect(decompressBlock(zstd)).rejects.toThrow(/no build for this platform/);
});
