import { setMaxListeners } from 'node:events';
import {
  status,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type MethodDefinition,
  type ServerUnaryCall,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import type { Writable } from 'node:stream';
import type { Logger } from 'pino';
import { callerOf, type Admit } from './grpc-admission';
import { TRACE_PARENT } from './grpc-limits';
import { incoming, sendAll } from './message-stream';
import { publicError } from './public-error';
import { RpcError } from './rpc-error';
import type { RpcMetrics } from './rpc-metrics';
import { cancelled } from './wait';

/** Messages are typed where an Api is defined; here they only pass through. */
type Message = unknown;
type UnaryFunction = (request: Message, signal: AbortSignal) => Promise<Message>;
type StreamingFunction = (request: Message, signal: AbortSignal) => AsyncIterable<Message>;
type BidiFunction = (
  requests: AsyncIterable<Message>,
  signal: AbortSignal,
) => AsyncIterable<Message>;

/** A method of a service. */
interface Served {
  readonly method: MethodDefinition<Message, Message>;
  /** Its name in `api`. */
  readonly name: string;
  /** The implementation. */
  readonly api: object;
}

/** What every handler needs. */
export interface HandlerContext {
  readonly log: Logger;
  readonly metrics: RpcMetrics;
  /** Ends streams. Unary calls are left to finish: the app waits for them. */
  readonly stopping: AbortSignal;
  /** Asked before each call. */
  readonly admit: Admit;
}

/** The function of an Api as a handler for grpc-js. */
export function grpcHandler(served: Served, context: HandlerContext): UntypedHandleCall {
  const { path, requestStream, responseStream } = served.method;
  if (!requestStream && !responseStream) return unaryHandler(served, context);
  if (!requestStream) return streamingHandler(served, context);
  if (responseStream) return bidiHandler(served, context);
  throw new Error(`${path}: methods with a stream of requests and one answer are not supported`);
}

/** What the caller may use of the method; rejects if it may not. */
async function admitted<Work>(
  { method: { path }, name, api }: Served,
  call: Parameters<typeof callerOf>[0],
  { admit }: HandlerContext,
): Promise<Work> {
  const allowed = await admit({ path, api, caller: callerOf(call) });
  const work = (allowed as Record<string, { bind(self: object): Work } | undefined>)[name];
  if (work === undefined) throw new Error(`${path} is not implemented for this caller`);
  return work.bind(allowed);
}

function unaryHandler(served: Served, context: HandlerContext): handleUnaryCall<Message, Message> {
  const { log, metrics } = context;
  const { path } = served.method;
  return (call, callback) => {
    takeTraceParent(call);
    const controller = new AbortController();
    const observed = metrics.begin(path);
    call.once('cancelled', () => controller.abort(cancelled()));
    const work = async (): Promise<Message> => {
      const allowed = await admitted<UnaryFunction>(served, call, context);
      return allowed(call.request, controller.signal);
    };
    work().then(
      (response) => {
        observed(status.OK);
        callback(null, response);
      },
      (error: unknown) => {
        const { code, message } = publicError(error, log.child({ rpc: path }));
        observed(code);
        callback({ code, details: message });
      },
    );
  };
}

/** A caller that knows OpenTelemetry, and not our field, names the trace in the metadata. */
function takeTraceParent({ request, metadata }: ServerUnaryCall<Message, Message>): void {
  const traced = request as { traceParent?: unknown };
  if (traced.traceParent !== '') return;
  const [traceParent] = metadata.get(TRACE_PARENT);
  if (typeof traceParent === 'string') traced.traceParent = traceParent;
}

function streamingHandler(
  served: Served,
  context: HandlerContext,
): handleServerStreamingCall<Message, Message> {
  const { path } = served.method;
  return (call) => {
    const signal = streamSignal(call, context.stopping);
    const answer = async (): Promise<void> => {
      const work = await admitted<StreamingFunction>(served, call, context);
      await sendAll(call, work(call.request, signal), signal);
    };
    void respond(call, answer, { path, signal, context });
  };
}

function bidiHandler(
  served: Served,
  context: HandlerContext,
): handleBidiStreamingCall<Message, Message> {
  const { path } = served.method;
  return (call) => {
    const signal = cancelSignal(call);
    const requests = incoming<Message>(call, () => undefined);
    // No more requests are taken, those taken are answered: so a stop breaks no call in flight.
    const onStop = (): void => requests.end();
    context.stopping.addEventListener('abort', onStop);
    signal.addEventListener('abort', onStop);
    if (context.stopping.aborted) onStop();
    const answer = async (): Promise<void> => {
      const work = await admitted<BidiFunction>(served, call, context);
      await sendAll(call, work(requests, signal), signal);
    };
    void respond(call, answer, { path, signal, context }).finally(() =>
      context.stopping.removeEventListener('abort', onStop),
    );
  };
}

interface StreamCall {
  readonly path: string;
  readonly signal: AbortSignal;
  readonly context: HandlerContext;
}

async function respond(
  call: Writable,
  answer: () => Promise<void>,
  about: StreamCall,
): Promise<void> {
  const { path, signal, context } = about;
  const observed = context.metrics.begin(path);
  let failure: RpcError | undefined;
  try {
    await answer();
    if (signal.aborted) failure = endOf(signal);
  } catch (error) {
    failure = signal.aborted ? endOf(signal) : publicError(error, context.log.child({ rpc: path }));
  }
  observed(failure?.code ?? status.OK);
  // grpc-js ends a stream with the status of the error that it is told of so.
  if (failure) call.emit('error', { code: failure.code, details: failure.message });
  else call.end();
}

function endOf(signal: AbortSignal): RpcError {
  return signal.reason instanceof RpcError ? signal.reason : cancelled();
}

interface Cancellable {
  once(event: 'cancelled' | 'close', listener: () => void): unknown;
}

function cancelSignal(call: Cancellable): AbortSignal {
  const controller = new AbortController();
  // All calls of one stream share it.
  setMaxListeners(0, controller.signal);
  call.once('cancelled', () => controller.abort(cancelled()));
  return controller.signal;
}

function streamSignal(call: Cancellable, stopping: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const onStop = (): void =>
    controller.abort(new RpcError(status.UNAVAILABLE, 'the service is stopping; call again'));
  call.once('cancelled', () => controller.abort(cancelled()));
  call.once('close', () => stopping.removeEventListener('abort', onStop));
  stopping.addEventListener('abort', onStop);
  if (stopping.aborted) onStop();
  return controller.signal;
}
