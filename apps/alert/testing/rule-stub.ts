import { status } from '@grpc/grpc-js';
import { RuleSet, type Receiver, type RuleServiceService } from '@auditing/proto/rule';
import { queue, type Queue } from '@auditing/service/queue';
import type { Api } from '@auditing/service/rpc';
import { RpcError } from '@auditing/service/rpc-error';

/** A rule service that knows receivers and nothing else. */
export interface RuleStub {
  readonly api: Api<typeof RuleServiceService>;
  /** Changes the receivers, as an edit of the Webhook resource does. */
  readonly use: (receivers: readonly Receiver[]) => void;
}

/** One with these receivers; without any it cannot be reached. */
export function ruleStub(receivers?: readonly Receiver[]): RuleStub {
  const watchers = new Set<Queue<RuleSet>>();
  let generation = 0;
  const ruleSet = (of: readonly Receiver[]): RuleSet =>
    RuleSet.fromPartial({
      version: `version ${generation}`,
      settings: { receivers: [...of] },
    });
  let current = receivers && ruleSet(receivers);
  const away = (): Promise<never> =>
    Promise.reject(new RpcError(status.UNAVAILABLE, 'not part of this test'));
  return {
    use(next) {
      generation += 1;
      current = ruleSet(next);
      for (const watcher of watchers) watcher.push(current);
    },
    api: {
      evaluate: away,
      getRuleSet: away,
      listRules: away,
      check: away,
      explain: away,
      test: away,
      evaluateStream: () => fail(),
      async *watch({ knownVersion }, signal) {
        if (current === undefined) await away();
        const changes = queue<RuleSet>();
        watchers.add(changes);
        signal.addEventListener('abort', () => changes.end(), { once: true });
        if (current && current.version !== knownVersion) yield current;
        yield* changes;
      },
    },
  };
}

async function* fail(): AsyncGenerator<never, void, undefined> {
  await Promise.reject(new RpcError(status.UNAVAILABLE, 'not part of this test'));
  yield* [];
}
