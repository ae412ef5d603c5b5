import { status } from '@grpc/grpc-js';
import { eventKey } from '@auditing/audit-event/event-key';
import {
  Proof,
  Query,
  VerifyResult,
  type VerifyProblem,
  type VerifyRequest,
  type VerifyResponse,
} from '@auditing/proto/archive';
import { RpcError } from '@auditing/service/rpc-error';

import { hits } from './hits';
import { queryClauses } from './query-clauses';
import { storedEvents, type OnDamage, type Reading, type StoredEvent } from './stored-events';

/** The most that a result names: archive.proto. */
const PROBLEMS_MAX = 1_000;

/** How often it says how far it is. */
const PROGRESS_EVERY_MS = 1_000;

/**
 * Reads every event and compares it with its key, the hash of what was received. OpenSearch has no chain: that
 * nothing was removed or added cannot be proven, and the result says so.
 */
export async function* verify(
  request: VerifyRequest,
  reading: Reading,
): AsyncIterable<VerifyResponse> {
  if (request.checkpoints.length > 0) {
    throw new RpcError(
      status.UNIMPLEMENTED,
      'checkpoints: this archive lies in OpenSearch, which has no chain of hashes to compare them with; ask without them',
    );
  }
  const check = new Check();
  const onDamage: OnDamage = (error, document) => {
    reading.onDamage(error, document);
    check.damaged(error, document);
  };
  let reportAt = performance.now() + PROGRESS_EVERY_MS;
  const everything = {
    query: queryClauses(Query.create()),
    newestFirst: false,
    limit: Infinity,
    onTotal: (count: number) => (check.totalCount = count),
  };
  for await (const page of hits(everything, reading)) {
    for await (const part of storedEvents(page, { ...reading, onDamage })) {
      for (const { hit, event } of part) check.add(event, hit);
      if (performance.now() < reportAt) continue;
      reportAt = performance.now() + PROGRESS_EVERY_MS;
      yield { progress: check.progress(), result: undefined };
    }
  }
  yield { progress: check.progress(), result: check.result() };
}

/** What was found so far. */
class Check {
  totalCount = 0;
  #eventCount = 0;
  #strippedCount = 0;
  #bytes = 0;
  readonly #problems: VerifyProblem[] = [];
  #problemCount = 0;
  readonly #indices = new Set<string>();

  add({ key, bytes, kept }: StoredEvent, { index, id }: { index: string; id: string }): void {
    this.#eventCount += 1;
    this.#bytes += bytes.length;
    this.#indices.add(index);
    // The key is of what was received: it says nothing of what is left after a strip.
    if (kept.Strip !== undefined) this.#strippedCount += 1;
    else if (!eventKey(bytes).equals(key)) {
      this.#problem(`document ${id} of ${index}: its event is not the one that its key is of`);
    }
  }

  damaged(error: unknown, { index, id }: { index: string; id: string }): void {
    const why = error instanceof Error ? error.message : String(error);
    this.#problem(`document ${id} of ${index} cannot be read: ${why}`);
  }

  /** Of bytes that are left it knows no more than that the events are as long as those before. */
  progress(): NonNullable<VerifyResponse['progress']> {
    const total = this.#eventCount === 0 ? 0 : (this.#bytes / this.#eventCount) * this.totalCount;
    return {
      checkedBytes: BigInt(this.#bytes),
      totalBytes: BigInt(Math.max(this.#bytes, Math.round(total))),
      problemCount: this.#problemCount,
    };
  }

  result(): VerifyResult {
    return VerifyResult.fromPartial({
      proof: this.#problemCount === 0 ? Proof.EVENTS : Proof.UNSPECIFIED,
      statement: this.#statement(),
      problems: this.#problems,
      segmentCount: this.#indices.size,
      recordCount: BigInt(this.#eventCount),
      eventCount: BigInt(this.#eventCount),
    });
  }

  #problem(description: string): void {
    this.#problemCount += 1;
    if (this.#problems.length < PROBLEMS_MAX)
      this.#problems.push({ segment: 0n, position: 0n, description });
  }

  #statement(): string {
    const compared = this.#eventCount - this.#strippedCount;
    const found =
      this.#problemCount === 0
        ? `${compared} events are, byte for byte, what was received: each hashes to its key.`
        : `${this.#problemCount} of ${this.totalCount} events are damaged or were changed.`;
    const stripped =
      this.#strippedCount === 0
        ? ''
        : ` ${this.#strippedCount} events had bodies removed on receipt; their keys are of the whole, so these could not be compared.`;
    return `${found}${stripped} OpenSearch keeps no chain of hashes: this does not prove that nothing was removed or added.`;
  }
}
