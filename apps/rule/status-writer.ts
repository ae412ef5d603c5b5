import { isDeepStrictEqual } from 'node:util';
import { apply } from '@auditing/kubernetes/apply';
import type { KubeClient } from '@auditing/kubernetes/kube-client';
import { CONFLICT, hasCode, NOT_FOUND } from '@auditing/kubernetes/kube-error';
import { keyOf, type KubeObject, type ResourceType } from '@auditing/kubernetes/kube-object';
import { queue, type Queue } from '@auditing/service/queue';
import type { Logger } from 'pino';
import { ruleStatus, webhookStatus, type StatusParts } from './resource-status';
import {
  RULES,
  WEBHOOKS,
  type AuditingObject,
  type KubernetesSource,
} from './rule-source-kubernetes';

const FIELD_MANAGER = 'kube-auditing-rule';
/** Tries of one write in a row; afterwards it is tried again with all others, after the wait. */
const MAX_CONFLICTS = 5;
const RETRY_AFTER_MS = 2_000;

/** What the writer works with. */
export interface StatusWriterOptions {
  readonly client: KubeClient;
  readonly source: KubernetesSource;
  /** Undefined before the first rule set. */
  readonly parts: () => StatusParts | undefined;
  readonly log: Logger;
  readonly written: (outcome: 'written' | 'failed') => void;
}

/** Writes the status of every Rule and Webhook resource that says something else than it should. */
export class StatusWriter {
  #changed: Queue<true> | undefined;
  /** Resources whose definition has no status; said once. */
  readonly #silent = new Set<string>();

  constructor(private readonly options: StatusWriterOptions) {}

  /** Something may have changed. */
  wake(): void {
    if (this.#changed?.size() === 0) this.#changed.push(true);
  }

  /** Writes now and at each change, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const changed = queue<true>();
    this.#changed = changed;
    signal.addEventListener('abort', changed.end);
    if (signal.aborted) changed.end();
    let timer: NodeJS.Timeout | undefined;
    this.wake();
    try {
      for await (const _change of changed) {
        clearTimeout(timer);
        if (await this.#writeAll(signal)) continue;
        timer = setTimeout(() => this.wake(), RETRY_AFTER_MS);
      }
    } finally {
      clearTimeout(timer);
      this.#changed = undefined;
    }
  }

  /** Whether all is as it should be now. */
  async #writeAll(signal: AbortSignal): Promise<boolean> {
    const parts = this.options.parts();
    if (!parts) return true;
    const { rules, webhooks } = this.options.source;
    let isDone = true;
    const each = async (
      type: ResourceType,
      objects: Iterable<AuditingObject>,
      statusOf: (object: AuditingObject, of: StatusParts) => Status,
    ): Promise<void> => {
      for (const object of objects) {
        if (signal.aborted) return;
        const status = statusOf(object, parts);
        if (isSame(status, object.status)) continue;
        isDone = (await this.#write({ type, object }, status, signal)) && isDone;
      }
    };
    await each(WEBHOOKS, [...webhooks.objects().values()], webhookStatus);
    await each(RULES, [...rules.objects().values()], ruleStatus);
    return isDone;
  }

  async #write(of: Target, status: Status, signal: AbortSignal): Promise<boolean> {
    const { client, log, written } = this.options;
    const { type, object } = of;
    const { name, namespace } = object.metadata;
    const metadata = { name, ...(namespace !== undefined && { namespace }) };
    const applied = { metadata, status } as KubeObject;
    for (let tries = 1; ; tries += 1) {
      try {
        const options = { fieldManager: FIELD_MANAGER, subresource: 'status', signal };
        await apply(client, { type, object: applied }, options);
        written('written');
        return true;
      } catch (error) {
        if (signal.aborted) return true;
        if (hasCode(error, CONFLICT) && tries < MAX_CONFLICTS) continue;
        if (hasCode(error, NOT_FOUND)) return this.#noStatus(of);
        written('failed');
        log.warn({ err: error, resource: keyOf(object) }, 'status not written; tried again');
        return false;
      }
    }
  }

  /** The object went, or its definition is one of long ago. */
  #noStatus({ type, object }: Target): boolean {
    const isThere = this.options.source[type === RULES ? 'rules' : 'webhooks']
      .objects()
      .has(keyOf(object));
    if (isThere && !this.#silent.has(type.plural)) {
      this.#silent.add(type.plural);
      this.options.log.warn(
        { resources: type.plural },
        'the definition of these resources has no status, so none is written; apply k8s/crds',
      );
    }
    return true;
  }
}

interface Target {
  readonly type: ResourceType;
  readonly object: AuditingObject;
}

type Status = ReturnType<typeof ruleStatus> | ReturnType<typeof webhookStatus>;

/** Whether a status says all that it should; what others wrote there does not matter, but what we no longer say does. */
function isSame(wanted: Status, live: unknown): boolean {
  const there = (live ?? {}) as Record<string, unknown>;
  const { conditions = [], ...fields } = wanted;
  const liveConditions = (there['conditions'] ?? []) as readonly { readonly type: string }[];
  const isFieldSame = Object.entries(fields).every(([key, value]) =>
    isDeepStrictEqual(value, there[key]),
  );
  const isGone = (key: 'warnings' | 'lastError' | 'receivers'): boolean =>
    !(key in fields) && (there[key] ?? undefined) !== undefined;
  return (
    isFieldSame &&
    !isGone('warnings') &&
    !isGone('lastError') &&
    !isGone('receivers') &&
    conditions.every((one) =>
      isDeepStrictEqual(
        one,
        liveConditions.find(({ type }) => type === one.type),
      ),
    )
  );
}
