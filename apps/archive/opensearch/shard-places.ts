import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';

import type { OpenSearch } from './connect';
import type { IndexNames } from './index-day';

/** How far each shard of each index has come: the sequence number of its last operation, which all copies have. */
export type ShardPlaces = ReadonlyMap<string, readonly number[]>;

/** Before the first operation of a shard. */
export const NOTHING = -1;

const TOKEN_VERSION = 1;
const DAY_MS = 86_400_000;
/** 9999-12-31, in days since 1970. */
const LAST_DAY = 2_932_896;

interface ShardStats {
  readonly indices?: Readonly<
    Record<
      string,
      {
        readonly shards?: Readonly<
          Record<
            string,
            readonly {
              readonly routing?: { readonly primary?: boolean };
              readonly seq_no?: { readonly global_checkpoint?: number };
            }[]
          >
        >;
      }
    >
  >;
}

/** Asks how far the shards have come. */
export async function shardPlaces(
  opensearch: Pick<OpenSearch, 'request'>,
  names: IndexNames,
  signal: AbortSignal,
): Promise<ShardPlaces> {
  const { indices = {} } = await opensearch.request<ShardStats>(
    {
      method: 'GET',
      path: `/${names.pattern}/_stats/docs`,
      parameters: {
        level: 'shards',
        filter_path:
          'indices.*.shards.*.routing.primary,indices.*.shards.*.seq_no.global_checkpoint',
      },
    },
    signal,
  );
  const places = new Map<string, readonly number[]>();
  for (const [name, { shards = {} }] of Object.entries(indices)) {
    if (names.dayOf(name) === undefined) continue;
    const ofShards: number[] = [];
    for (const [shard, copies] of Object.entries(shards)) {
      const primary = copies.find(({ routing }) => routing?.primary === true);
      ofShards[Number(shard)] = primary?.seq_no?.global_checkpoint ?? NOTHING;
    }
    places.set(
      name,
      Array.from(ofShards, (place: number | undefined) => place ?? NOTHING),
    );
  }
  return new Map([...places].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The places as text, a few bytes a shard: day of the index, then how far its shards are. */
export function writeToken(places: ShardPlaces, names: IndexNames): string {
  const numbers = [TOKEN_VERSION];
  for (const [name, ofShards] of places) {
    numbers.push(Math.floor((names.dayOf(name) ?? 0) / 1000 / DAY_MS), ofShards.length);
    for (const place of ofShards) numbers.push(place + 1);
  }
  return Buffer.from(numbers.flatMap(varint)).toString('base64url');
}

/**
 * What a token says.
 *
 * @throws INVALID_ARGUMENT if it is none.
 */
export function readToken(token: string, names: IndexNames): ShardPlaces {
  const [version, ...numbers] = varints(Buffer.from(token, 'base64url'));
  if (version !== TOKEN_VERSION) throw badToken();
  const places = new Map<string, readonly number[]>();
  while (numbers.length > 0) {
    const [day, count] = numbers.splice(0, 2);
    if (day === undefined || count === undefined) throw badToken();
    if (day > LAST_DAY || count > numbers.length) throw badToken();
    const dayUs = day * DAY_MS * 1000;
    places.set(
      names.ofTime(dayUs, dayUs),
      numbers.splice(0, count).map((place) => place - 1),
    );
  }
  return places;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}

function varints(bytes: Buffer): number[] {
  const numbers: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (!Number.isSafeInteger(value)) throw badToken();
    if (byte >= 0x80) continue;
    numbers.push(value);
    value = 0;
    scale = 1;
  }
  if (scale !== 1) throw badToken();
  return numbers;
}

function badToken(): RpcError {
  return new RpcError(
    status.INVALID_ARGUMENT,
    'resume_token: expected the token of an event or of Stats, got other text',
  );
}
