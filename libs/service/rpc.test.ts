import type { AppendRequest, AppendResponse, ArchiveServiceService } from '@auditing/proto/archive';
import type {
  EvaluateRequest,
  EvaluateResponse,
  RuleSet,
  RuleServiceService,
  WatchRequest,
} from '@auditing/proto/rule';
import type { Api } from './rpc';

// The compiler is the test: a line below that no longer holds does not compile.
type Same<A, B> = [A, B] extends [B, A] ? true : false;

test('an Api has the types of the generated definition', () => {
  type Rules = Api<typeof RuleServiceService>;
  type Archive = Api<typeof ArchiveServiceService>;
  type Unary<Req, Res> = (request: Req, signal: AbortSignal) => Promise<Res>;
  type Streaming<Req, Res> = (request: Req, signal: AbortSignal) => AsyncIterable<Res>;
  const names: Same<keyof Rules, keyof typeof RuleServiceService> = true;
  const unary: Same<Rules['evaluate'], Unary<EvaluateRequest, EvaluateResponse>> = true;
  const streaming: Same<Rules['watch'], Streaming<WatchRequest, RuleSet>> = true;
  const bidi: Same<
    Archive['appendStream'],
    Streaming<AsyncIterable<AppendRequest>, AppendResponse>
  > = true;
  const wrong: Same<Rules['watch'], Unary<WatchRequest, RuleSet>> = false;
  expect([names, unary, streaming, bidi, wrong]).toEqual([true, true, true, true, false]);
});
