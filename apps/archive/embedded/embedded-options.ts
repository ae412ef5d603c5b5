import type { KeyObject } from 'node:crypto';

import type { Files } from '@auditing/journal/files';
import type { Logger } from 'pino';

import type { RetentionLimits } from './retention';
import type { SearchThreads } from './search-threads';
import type { SegmentLimits } from './writer';

/** How the embedded engine is opened. */
export interface EmbeddedOptions {
  /** Folder of the archive; made if it is not there. */
  readonly directory: string;
  readonly files: Files;
  readonly log: Logger;
  readonly segment: SegmentLimits & {
    /** A segment that holds events ends when its first one is older than this: retention goes by whole segments. */
    readonly ageMs: number;
  };
  readonly retention: RetentionLimits;
  /** Memory for columns of sealed segments. */
  readonly indexCacheBytes: number;
  readonly queryTimeoutMs: number;
  /** Look through events for text; closed by whoever made them. */
  readonly threads: SearchThreads;
  /** Signs checkpoints (Ed25519); they are not signed without it. */
  readonly checkpointKey?: KeyObject | undefined;
  /** Milliseconds since 1970: the clock by which events grow old. */
  readonly now: () => number;
}
