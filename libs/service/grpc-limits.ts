import type { ChannelOptions } from '@grpc/grpc-js';

/**
 * Largest message, in bytes, both ways. The gateway cuts batches at about 1 MB of events; one event alone can be
 * 19 MB. The default of gRPC, 4 MiB, is less than that.
 */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

/** An idle connection is asked for a sign of life so often: below the idle time-outs of usual load balancers. */
const KEEPALIVE_TIME_MS = 30_000;
/** A peer that does not answer within this time is gone. */
const KEEPALIVE_TIMEOUT_MS = 10_000;

/**
 * A client that found nobody tries again after 100 ms, then less and less often, but at least so often: events wait in
 * a spool meanwhile. The default of gRPC, two minutes, would make a short outage a long one.
 */
const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 2_000;

/** Metadata key of the span that caused a call: https://www.w3.org/TR/trace-context/. */
export const TRACE_PARENT = 'traceparent';

/** What both sides of every connection have. */
export const COMMON_OPTIONS: ChannelOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': RECONNECT_MIN_MS,
  'grpc.max_reconnect_backoff_ms': RECONNECT_MAX_MS,
};
