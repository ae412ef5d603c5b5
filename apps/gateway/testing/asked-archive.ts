import type {
  ExportRequest,
  ExportResponse,
  ObjectHistoryRequest,
  ObjectHistoryResponse,
  SearchRequest,
  SearchResponse,
  StatisticsResponse,
  VerifyRequest,
  VerifyResponse,
} from '@auditing/proto/archive';
import { StatsResponse } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';

const missing = (): never => {
  throw new RpcError(status.UNIMPLEMENTED, 'not part of this test');
};

/** An archive that says what it was asked and answers what the test wants. */
export class AskedArchive {
  readonly searches: SearchRequest[] = [];
  readonly asked: unknown[] = [];
  answers: Partial<SearchResponse>[] = [];
  failure: Error | undefined;
  /** Set when a search or tail was told to end. */
  ended = false;
  endless = false;
  /** What an export is made of, and how many pieces were taken. */
  pieces: Iterable<Buffer> = [];
  given = 0;
  history: readonly ObjectHistoryResponse[] = [];
  verified: readonly VerifyResponse[] = [];

  async *search(request: SearchRequest, signal: AbortSignal): AsyncGenerator<SearchResponse, void> {
    this.searches.push(request);
    if (this.failure) throw this.failure;
    for (const { events = [], ...answer } of this.answers) {
      const asked = request.includeRaw ? events : events.map(withoutRaw);
      yield { nextCursor: '', total: 0n, progress: undefined, ...answer, events: asked };
    }
    if (this.endless) await this.#untilAborted(signal);
  }

  get({ key }: { key: Buffer }): Promise<AuditEvent> {
    const found = this.answers.flatMap(({ events = [] }) => events);
    const one = found.find((candidate) => candidate.key.equals(key));
    return one
      ? Promise.resolve(one)
      : Promise.reject(new RpcError(status.NOT_FOUND, 'no event with this key'));
  }

  async statistics(request: unknown, signal: AbortSignal): Promise<StatisticsResponse> {
    this.asked.push(request);
    if (this.endless) await this.#untilAborted(signal);
    return { eventCount: 7n, requestCount: 5n };
  }

  histogram(request: unknown) {
    this.asked.push(request);
    const at = (text: string) => ({ seconds: BigInt(Date.parse(text) / 1_000), nanos: 0 });
    return Promise.resolve({
      buckets: [
        { start: at('2024-01-31T00:00:00Z'), count: 1n },
        { start: at('2024-02-01T00:00:00Z'), count: 2n },
        { start: at('2024-02-02T00:00:00Z'), count: 3n },
      ],
      total: 6n,
    });
  }

  facets(request: unknown) {
    this.asked.push(request);
    return Promise.resolve({ facets: [{ value: 'admin', count: 3n }], valueCount: 1n });
  }

  append = missing;
  appendStream = missing;

  async *export(request: ExportRequest, signal: AbortSignal): AsyncGenerator<ExportResponse, void> {
    this.asked.push(request);
    if (this.failure) throw this.failure;
    for (const data of this.pieces) {
      this.given += 1;
      yield { data, eventCount: 1n };
    }
    if (this.endless) await this.#untilAborted(signal);
  }

  async *objectHistory(request: ObjectHistoryRequest): AsyncGenerator<ObjectHistoryResponse, void> {
    await Promise.resolve();
    this.asked.push(request);
    yield* this.history;
  }

  async *verify(request: VerifyRequest): AsyncGenerator<VerifyResponse, void> {
    await Promise.resolve();
    this.asked.push(request);
    if (this.failure) throw this.failure;
    yield* this.verified;
  }

  stats(): Promise<StatsResponse> {
    return Promise.resolve(
      StatsResponse.fromPartial({
        engine: 'embedded',
        eventCount: 7n,
        newestEvent: { seconds: 1n },
      }),
    );
  }

  async *tail(request: unknown, signal: AbortSignal): AsyncGenerator<AuditEvent, void> {
    this.asked.push(request);
    if (this.failure) throw this.failure;
    for (const { events = [] } of this.answers) yield* events;
    await this.#untilAborted(signal);
  }

  async #untilAborted(signal: AbortSignal): Promise<void> {
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    this.ended = true;
  }
}

function withoutRaw(one: AuditEvent): AuditEvent {
  return { ...one, raw: Buffer.alloc(0) };
}
