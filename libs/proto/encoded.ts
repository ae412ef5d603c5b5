import { BinaryWriter } from '@bufbuild/protobuf/wire';

/** What is generated for a message, as far as it writes it. */
interface Encoder<Message> {
  encode(message: Message, writer?: BinaryWriter): BinaryWriter;
}

/** After a larger message the writer is let go of: what it has grown to would be held for good. */
const KEPT_MAX_BYTES = 2 ** 20;

/** Undefined while it is used: then, and after an encoder that threw, which leaves half a message in it, another is made. */
let kept: BinaryWriter | undefined;

/**
 * The bytes of a message. One writer makes all of them: a new one begins small and doubles, which for a record of the log
 * is a dozen arrays, zeroed, copied and thrown away.
 */
export function encoded<Message>(encoder: Encoder<Message>, message: Message): Uint8Array {
  const writer = kept ?? new BinaryWriter();
  kept = undefined;
  const bytes = encoder.encode(message, writer).finish();
  if (bytes.length <= KEPT_MAX_BYTES) kept = writer;
  return bytes;
}
