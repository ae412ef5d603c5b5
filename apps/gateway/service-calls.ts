import {
  type AlertServiceService,
  type RaiseRequest,
  type RaiseResponse,
} from '@auditing/proto/alert';
import {
  type AppendRequest,
  type AppendResponse,
  type ArchiveServiceService,
} from '@auditing/proto/archive';
import type { EvaluateRequest, EvaluateResponse, RuleServiceService } from '@auditing/proto/rule';
import type { Api } from '@auditing/service/rpc';
import { streamCalls, type StreamCallOptions } from '@auditing/service/stream-call';
import { evaluateInProcess, evaluateRemotely, type MakeEvaluateRequest } from './evaluate-request';

/** The services that the pipeline calls, in this process or in another. */
export interface PipelineServices {
  readonly rule: Pick<
    Api<typeof RuleServiceService>,
    'evaluate' | 'evaluateStream' | 'watch' | 'getRuleSet'
  >;
  readonly archive: Pick<Api<typeof ArchiveServiceService>, 'append' | 'appendStream'>;
  readonly alert: Pick<Api<typeof AlertServiceService>, 'raise' | 'raiseStream'>;
  /** Whether they are behind sockets. */
  readonly remote: boolean;
}

type Call<Req, Res> = (request: Req, signal: AbortSignal) => Promise<Res>;

/** How the pipeline calls them. */
export interface ServiceCalls {
  readonly evaluate: Call<EvaluateRequest, EvaluateResponse>;
  readonly makeRequest: MakeEvaluateRequest;
  readonly append: Call<AppendRequest, AppendResponse>;
  readonly raise: Call<RaiseRequest, RaiseResponse>;
  readonly close: () => void;
}

/** The window of the pipeline is narrower; the deadline is for a service that hangs, not for one that is slow. */
const STREAM: StreamCallOptions = {
  window: 64,
  deadlineMs: 60_000,
  // Two or three bodies of a sender in a hurry. A call by itself costs both sides as much as fifty events.
  departures: { everyMs: 25, most: 16 },
};

/**
 * The one place where the two ways of running differ: in this process requests are handed over as they are, with
 * the decoded events; to another process they go over streams, with columns.
 */
export function serviceCalls({ rule, archive, alert, remote }: PipelineServices): ServiceCalls {
  if (!remote) {
    return {
      evaluate: (request, signal) => rule.evaluate(request, signal),
      makeRequest: evaluateInProcess,
      append: (request, signal) => archive.append(request, signal),
      raise: (request, signal) => alert.raise(request, signal),
      close: () => undefined,
    };
  }
  const evaluations = streamCalls<EvaluateRequest, EvaluateResponse>(
    (requests, signal) => rule.evaluateStream(requests, signal),
    STREAM,
  );
  const appends = streamCalls<AppendRequest, AppendResponse>(
    (requests, signal) => archive.appendStream(requests, signal),
    STREAM,
  );
  const raises = streamCalls<RaiseRequest, RaiseResponse>(
    (requests, signal) => alert.raiseStream(requests, signal),
    STREAM,
  );
  return {
    evaluate: evaluations.call,
    makeRequest: evaluateRemotely,
    append: appends.call,
    raise: raises.call,
    close() {
      for (const stream of [evaluations, appends, raises]) stream.close();
    },
  };
}
