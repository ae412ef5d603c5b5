import { setMaxListeners } from 'node:events';
import {
  Client,
  Metadata,
  status,
  type MethodDefinition,
  type ServiceConfig,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { COMMON_OPTIONS, TRACE_PARENT } from './grpc-limits';
import type { GrpcCredentials } from './grpc-tls';
import { incoming, sendAll } from './message-stream';
import type { Api } from './rpc';
import { RpcError } from './rpc-error';
import { cancelled } from './wait';

/** A unary call that takes longer is given up; the slowest, an Append to a busy disk, takes seconds. */
const UNARY_DEADLINE_MS = 30_000;
/** Total tries of a unary call that is answered UNAVAILABLE: about a second, so that a restart is not noticed. */
const MAX_ATTEMPTS = 4;

/** How to reach a service. */
export interface GrpcClientOptions {
  readonly credentials: GrpcCredentials;
  /** Deadline of unary calls in milliseconds. Streams have none: the caller ends them. */
  readonly deadlineMs?: number;
  /** Shown as `authorization: Bearer` where no certificate speaks for this side. */
  readonly token?: string | undefined;
}

/** A client of one service. */
export interface GrpcClient<Definition> {
  /** The service, as if it ran in this process. Errors are RpcError. */
  readonly api: Api<Definition>;
  /** Ends the connections; calls in flight reject with CANCELLED. */
  readonly close: () => void;
}

type Message = unknown;
type Method = MethodDefinition<Message, Message>;

/**
 * Opens a client: connects at the first call, again after each break, over all addresses that the name of the target has
 * in turn.
 *
 * @param target `host:port`; a name with several addresses (a headless Service) spreads the calls.
 */
export function grpcClient<Definition extends ServiceDefinition>(
  definition: Definition,
  target: string,
  options: GrpcClientOptions,
): GrpcClient<Definition> {
  const client = new Client(target, options.credentials.client, {
    ...COMMON_OPTIONS,
    'grpc.service_config': JSON.stringify(serviceConfig(definition)),
  });
  const caller: Caller = {
    client,
    target,
    deadlineMs: options.deadlineMs ?? UNARY_DEADLINE_MS,
    metadata: metadataOf(options),
  };
  const methods = Object.entries(definition).map(([name, method]) => [
    name,
    callOf(caller, method),
  ]);
  return {
    api: Object.fromEntries(methods) as Api<Definition>,
    close: () => client.close(),
  };
}

/** Every unary method may be tried again: batches have ids, so what is sent twice is taken once. */
function serviceConfig(definition: ServiceDefinition): ServiceConfig {
  const unary = Object.values(definition).filter(
    (one) => !one.requestStream && !one.responseStream,
  );
  return {
    loadBalancingConfig: [{ round_robin: {} }],
    methodConfig: [
      {
        name: unary.map(({ path }) => {
          const [, service = '', method = ''] = path.split('/');
          return { service, method };
        }),
        retryPolicy: {
          maxAttempts: MAX_ATTEMPTS,
          initialBackoff: '0.1s',
          maxBackoff: '1s',
          backoffMultiplier: 2,
          retryableStatusCodes: ['UNAVAILABLE'],
        },
      },
    ],
  };
}

interface Caller {
  readonly client: Client;
  readonly target: string;
  readonly deadlineMs: number;
  readonly metadata: Metadata;
}

function metadataOf({ credentials, token }: GrpcClientOptions): Metadata {
  const metadata = new Metadata();
  if (token !== undefined && !credentials.isSecure) {
    metadata.set('authorization', `Bearer ${token}`);
  }
  return metadata;
}

function callOf(caller: Caller, method: Method): unknown {
  if (!method.responseStream) {
    return (request: Message, signal: AbortSignal) =>
      unaryCall(caller, method, { request, signal });
  }
  if (!method.requestStream) {
    return (request: Message, signal: AbortSignal) =>
      streamingCall(caller, method, { request, signal });
  }
  return (requests: AsyncIterable<Message>, signal: AbortSignal) =>
    bidiCall(caller, method, { requests, signal });
}

function unaryCall(
  { client, target, deadlineMs, metadata }: Caller,
  method: Method,
  { request, signal }: { request: Message; signal: AbortSignal },
): Promise<Message> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(cancelled());
      return;
    }
    // One signal stands for many calls: the usual warning of a leak at ten listeners would be wrong.
    setMaxListeners(0, signal);
    const cancel = (): void => call.cancel();
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      callMetadata(metadata, request),
      { deadline: Date.now() + deadlineMs },
      (error, response) => {
        signal.removeEventListener('abort', cancel);
        if (error) reject(rpcError(error, target));
        else resolve(response);
      },
    );
    signal.addEventListener('abort', cancel);
  });
}

async function* streamingCall(
  { client, target, metadata }: Caller,
  method: Method,
  { request, signal }: { request: Message; signal: AbortSignal },
): AsyncGenerator<Message, void, undefined> {
  if (signal.aborted) throw cancelled();
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadata.clone(),
  );
  yield* receive(
    call,
    incoming<Message>(call, () => call.cancel()),
    { signal, target },
  );
}

async function* bidiCall(
  { client, target, metadata }: Caller,
  method: Method,
  { requests, signal }: { requests: AsyncIterable<Message>; signal: AbortSignal },
): AsyncGenerator<Message, void, undefined> {
  if (signal.aborted) throw cancelled();
  const call = client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    metadata.clone(),
  );
  const responses = incoming<Message>(call, () => call.cancel());
  const over = new AbortController();
  void sendAll(call, requests, over.signal).then(
    () => call.end(),
    (error: unknown) => {
      responses.fail(error);
      call.cancel();
    },
  );
  try {
    yield* receive(call, responses, { signal, target });
  } finally {
    over.abort();
  }
}

async function* receive(
  call: { cancel(): void },
  messages: AsyncIterable<Message>,
  { signal, target }: { signal: AbortSignal; target: string },
): AsyncGenerator<Message, void, undefined> {
  const cancel = (): void => call.cancel();
  signal.addEventListener('abort', cancel);
  try {
    yield* messages;
  } catch (error) {
    throw error instanceof Error ? rpcError(error, target) : error;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** Besides, it names the trace of a request, as W3C Trace Context says, for whoever reads no fields of ours. */
function callMetadata(shown: Metadata, request: Message): Metadata {
  const metadata = shown.clone();
  const { traceParent } = request as { traceParent?: unknown };
  if (typeof traceParent === 'string' && traceParent !== '')
    metadata.set(TRACE_PARENT, traceParent);
  return metadata;
}

/** Codes that gRPC itself makes up, with a text that does not say who was called. */
const OWN_CODES: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]);

function rpcError(error: Error, target: string): Error {
  if (!isServiceError(error)) return error;
  if (error.code === status.CANCELLED) return cancelled();
  const text = OWN_CODES.has(error.code) ? `${target}: ${error.details}` : error.details;
  return new RpcError(error.code, text, { cause: error });
}

function isServiceError(error: Error): error is ServiceError {
  return 'code' in error && 'details' in error && 'metadata' in error;
}
