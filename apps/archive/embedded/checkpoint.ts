import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto';

import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';

const VERSION = 'kac1';
const FORM = /^kac1\.(\d{1,16})\.(\d{1,16})\.([0-9a-f]{64})(?:\.([\w-]{86}))?$/;

/**
 * What the log was at one moment: the hash of a segment up to a position vouches for all that is before it. As text,
 *
 *     kac1.<start of the segment>.<position>.<hash>[.<signature>]
 *
 * it is published: whoever keeps it where the archive's machine cannot write proves with it later that nothing of what was
 * there then has been changed.
 */
export interface Checkpoint {
  readonly segmentStart: number;
  /** Behind the last record that the hash covers. */
  readonly position: number;
  /** SHA-256 in hexadecimal (segment-chain.ts). */
  readonly hash: string;
}

/** A checkpoint out of its text. */
export interface ReadCheckpoint extends Checkpoint {
  readonly text: string;
  /** Ed25519 over the text before it; undefined without one. */
  readonly signature: Buffer | undefined;
}

/** The text of a checkpoint, signed if there is a key: Ed25519. */
export function writeCheckpoint(checkpoint: Checkpoint, key: KeyObject | undefined): string {
  const text = unsigned(checkpoint);
  return key === undefined
    ? text
    : `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

/** @throws INVALID_ARGUMENT for a text that is no checkpoint. */
export function readCheckpoint(text: string): ReadCheckpoint {
  const match = FORM.exec(text.trim());
  const [, segmentStart, position, hash, signature] = match ?? [];
  if (hash === undefined) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `checkpoints: expected what the archive logged as "checkpoint", such as kac1.0.4096.<64 hexadecimal digits>, got ${JSON.stringify(text.slice(0, 200))}`,
    );
  }
  return {
    text: text.trim(),
    segmentStart: Number(segmentStart),
    position: Number(position),
    hash,
    signature: signature === undefined ? undefined : Buffer.from(signature, 'base64url'),
  };
}

/** True if the owner of the key signed it. */
export function isSignedBy(checkpoint: ReadCheckpoint, key: KeyObject): boolean {
  const { signature } = checkpoint;
  return signature !== undefined && verify(null, Buffer.from(unsigned(checkpoint)), key, signature);
}

/** @throws INVALID_ARGUMENT if it is no public key. */
export function readPublicKey(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below.
  }
  throw new RpcError(
    status.INVALID_ARGUMENT,
    'public_key: expected an Ed25519 public key in PEM, as `openssl pkey -in KEY -pubout` prints it',
  );
}

function unsigned({ segmentStart, position, hash }: Checkpoint): string {
  return `${VERSION}.${segmentStart}.${position}.${hash}`;
}
