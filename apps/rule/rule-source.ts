import type { Diagnostic } from '@auditing/proto/rule';
import type { Resource } from '@auditing/rule-engine/rule-set';

/** Resources of one file. */
export interface ResourcePart {
  readonly rules: readonly Resource[];
  readonly webhooks: readonly Resource[];
}

/** What a source of resources holds at one moment. */
export interface Snapshot {
  /** By the name of the file; of one that is broken, what it held before. */
  readonly parts: Readonly<Record<string, ResourcePart>>;
  /** What could not be read. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Where Rule and Webhook resources come from. */
export interface RuleSource {
  /** What it holds now. */
  readonly read: () => Promise<Snapshot>;
  /** What it holds after each change, until the signal aborts. */
  readonly changes: (signal: AbortSignal) => AsyncIterable<Snapshot>;
}
