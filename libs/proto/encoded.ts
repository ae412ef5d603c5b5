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

/** A field that holds a message, in bytes. */
export interface EncodedField {
  readonly number: number;
  readonly bytes: Uint8Array;
}

const LENGTH_DELIMITED = 2;

/** The bytes of a message, with one field more after all others. */
export function encodedWith<Message>(
  encoder: Encoder<Message>,
  message: Message,
  { number, bytes }: EncodedField,
): Uint8Array {
  const withField: Encoder<Message> = {
    encode: (whole, writer) =>
      encoder
        .encode(whole, writer)
        .uint32((number << 3) | LENGTH_DELIMITED)
        .bytes(bytes),
  };
  return encoded(withField, message);
}

/** Bytes that a message was written as, beside it and in none of its copies. */
const BYTES = Symbol('bytes');

/** As `encoded`, for a message that becomes a part of several others: made once. It must not be changed any more. */
export function encodedOnce<Message extends object>(
  encoder: Encoder<Message>,
  message: Message & { [BYTES]?: Uint8Array },
): Uint8Array {
  const known = message[BYTES];
  if (known) return known;
  const bytes = encoded(encoder, message);
  Object.defineProperty(message, BYTES, { value: bytes });
  return bytes;
}
