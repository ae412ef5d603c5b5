import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** A span as it came over the wire. */
export interface CollectedSpan {
  readonly service: string;
  readonly name: string;
  /** Hexadecimal. */
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** True if it is marked as failed. */
  readonly failed: boolean;
}

/** A collector of traces, as far as OTLP over HTTP needs one. */
export interface TraceCollector {
  /** For AUDITING_TRACING_ENDPOINT. */
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  /** What it answers from now on; 200 at first. */
  answer(status: number): void;
  close(): Promise<void>;
}

/** Listens on a free port and decodes what comes by OTLP's protobuf messages. */
export async function traceCollector(): Promise<TraceCollector> {
  const spans: CollectedSpan[] = [];
  let status = 200;
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      if (status === 200) spans.push(...spansOf(body));
      response.writeHead(status, { 'Content-Type': 'application/x-protobuf' }).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1/traces`,
    spans,
    answer(next) {
      status = next;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const body = await buffer(request);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

// Field numbers of opentelemetry/proto/trace/v1/trace.proto, common.proto and resource.proto.

function spansOf(body: Uint8Array): CollectedSpan[] {
  return messages(body, 1).flatMap((resourceSpans) => {
    const [resource] = messages(resourceSpans, 1);
    const service = attributesOf(resource, 1)['service.name'] ?? '';
    const scopes = messages(resourceSpans, 2);
    return scopes.flatMap((scope) => messages(scope, 2)).map((span) => spanOf(span, service));
  });
}

function spanOf(span: Uint8Array, service: string): CollectedSpan {
  const hex = (field: number): string =>
    Buffer.from(messages(span, field)[0] ?? []).toString('hex');
  const [status] = messages(span, 15);
  return {
    service,
    name: Buffer.from(messages(span, 5)[0] ?? []).toString(),
    traceId: hex(1),
    spanId: hex(2),
    parentSpanId: hex(4),
    attributes: attributesOf(span, 9),
    failed: status !== undefined && numberOf(status, 3) === 2,
  };
}

function attributesOf(
  message: Uint8Array | undefined,
  field: number,
): Readonly<Record<string, string>> {
  const pairs = message ? messages(message, field) : [];
  return Object.fromEntries(
    pairs.map((pair) => {
      const [value] = messages(pair, 2);
      const [text] = value ? messages(value, 1) : [];
      const shown = text ? Buffer.from(text).toString() : String(value && numberOf(value, 3));
      return [Buffer.from(messages(pair, 1)[0] ?? []).toString(), shown];
    }),
  );
}

/** All values of a length-delimited field. */
function messages(message: Uint8Array, field: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === field && type === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(type, number);
  }
  return found;
}

/** The value of a varint field. */
function numberOf(message: Uint8Array, field: number): number | undefined {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === field && type === WireType.Varint) return Number(reader.int64());
    reader.skip(type, number);
  }
  return undefined;
}
