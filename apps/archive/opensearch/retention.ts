import type { Logger } from 'pino';

import { AnswerError, type OpenSearch } from './connect';
import { expiresAtUs, type IndexNames } from './index-day';

/** What is kept. Whole indices are removed, the oldest first. */
export interface RetentionLimits {
  /** Indices whose last event was received longer ago than this are removed. */
  readonly ageMs: number;
  /** Bytes of all indices, copies included; undefined: no limit. */
  readonly bytes: number | undefined;
}

/** What retention works with. */
export interface Retained {
  readonly opensearch: Pick<OpenSearch, 'request'>;
  readonly names: IndexNames;
  readonly prefix: string;
  readonly log: Logger;
  readonly now: () => number;
}

/** An index of a day. */
export interface DayIndex {
  readonly name: string;
  readonly dayUs: number;
  readonly eventCount: number;
  /** Bytes on all nodes, copies included. */
  readonly bytes: number;
}

interface StoreStats {
  readonly indices?: Readonly<
    Record<
      string,
      {
        readonly primaries?: { readonly docs?: { readonly count?: number } };
        readonly total?: { readonly store?: { readonly size_in_bytes?: number } };
      }
    >
  >;
}

interface StoredPolicy {
  readonly _seq_no: number;
  readonly _primary_term: number;
  readonly policy: { readonly description?: string };
}

/** The indices of days, the oldest first. */
export async function dayIndices(
  { opensearch, names }: Pick<Retained, 'opensearch' | 'names'>,
  signal: AbortSignal,
): Promise<DayIndex[]> {
  const { indices = {} } = await opensearch.request<StoreStats>(
    {
      method: 'GET',
      path: `/${names.pattern}/_stats/docs,store`,
      parameters: {
        filter_path: 'indices.*.primaries.docs.count,indices.*.total.store.size_in_bytes',
      },
    },
    signal,
  );
  return Object.entries(indices)
    .flatMap(([name, { primaries, total }]) => {
      const dayUs = names.dayOf(name);
      if (dayUs === undefined) return [];
      const eventCount = primaries?.docs?.count ?? 0;
      return [{ name, dayUs, eventCount, bytes: total?.store?.size_in_bytes ?? 0 }];
    })
    .sort((a, b) => a.dayUs - b.dayUs);
}

/**
 * Removes what is too old or too much, and returns it. Where the cluster has Index State Management, a policy removes what is
 * too old, so that it goes on while we are away.
 */
export async function retain(
  retained: Retained,
  limits: RetentionLimits,
  signal: AbortSignal,
): Promise<readonly DayIndex[]> {
  const { opensearch, names, now } = retained;
  const byPolicy = await putPolicy(retained, limits.ageMs, signal);
  const indices = await dayIndices({ opensearch, names }, signal);
  let bytes = indices.reduce((sum, index) => sum + index.bytes, 0);
  const removed: DayIndex[] = [];
  // The newest stays: it is being written to.
  for (const index of indices.slice(0, -1)) {
    const isOld = !byPolicy && expiresAtUs(index.dayUs, limits.ageMs * 1000) <= now() * 1000;
    if (!isOld && bytes <= (limits.bytes ?? Infinity)) break;
    await opensearch.request({ method: 'DELETE', path: `/${index.name}` }, signal);
    bytes -= index.bytes;
    removed.push(index);
  }
  return removed;
}

/** A policy counts from the making of an index, which may be a day before its day; its last event comes a day after it. */
const POLICY_SPARE_DAYS = 3;
const DAY_MS = 86_400_000;

/** Above the policies that others make for all indices. */
const POLICY_PRIORITY = 230;

/** Makes the policy say what the settings say. False where the cluster does not have the plug-in. */
async function putPolicy(
  { opensearch, prefix, log }: Retained,
  ageMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const path = `/_plugins/_ism/policies/auditing-${prefix}`;
  const days = Math.ceil(ageMs / DAY_MS) + POLICY_SPARE_DAYS;
  const description = `kube-auditing: ${prefix} indices are removed after ${days} days`;
  let stored: StoredPolicy | undefined;
  try {
    stored = await opensearch.request<StoredPolicy>({ method: 'GET', path }, signal);
  } catch (error) {
    if (!(error instanceof AnswerError)) throw error;
    // 400: nobody handles the path. 404: there is no such policy yet.
    if (error.statusCode === 400 || error.statusCode === 405) return false;
    if (error.statusCode !== 404) throw error;
  }
  if (stored?.policy.description === description) return true;
  await opensearch.request(
    {
      method: 'PUT',
      path,
      ...(stored && {
        parameters: { if_seq_no: stored._seq_no, if_primary_term: stored._primary_term },
      }),
      body: { policy: policyOf(prefix, description, `${days}d`) },
    },
    signal,
  );
  log.info({ policy: `auditing-${prefix}`, days }, 'retention policy stored');
  return true;
}

function policyOf(prefix: string, description: string, age: string): object {
  return {
    description,
    default_state: 'kept',
    states: [
      {
        name: 'kept',
        actions: [],
        transitions: [{ state_name: 'removed', conditions: { min_index_age: age } }],
      },
      { name: 'removed', actions: [{ delete: {} }], transitions: [] },
    ],
    ism_template: [{ index_patterns: [`${prefix}-*`], priority: POLICY_PRIORITY }],
  };
}
