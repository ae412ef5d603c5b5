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

/** As `encoded`, in a Buffer: what gRPC takes. */
export function serialized<Message>(encoder: Encoder<Message>, message: Message): Buffer {
  const { buffer, byteOffset, byteLength } = encoded(encoder, message);
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Bytes that a message was written as, beside it and in none of its copies. */
const BYTES = Symbol('bytes');

interface Written {
  readonly [BYTES]?: Uint8Array;
}

/** Writes a message that is a part of several others before any of them, so that it is written once. It must not be changed any more. */
export function writeOnce<Message extends object>(
  encoder: Encoder<Message>,
  message: Message,
): void {
  if (!writtenBytes(message))
    Object.defineProperty(message, BYTES, { value: encoded(encoder, message) });
}

/** What `writeOnce` made of a message; undefined if it was not called: then it is to be written. For generated code. */
export function writtenBytes(message: object): Uint8Array | undefined {
  return (message as Written)[BYTES];
}
