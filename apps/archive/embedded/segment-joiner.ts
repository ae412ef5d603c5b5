import type { Journal } from '@auditing/journal/journal';
import type { Logger } from 'pino';

import { joinSegment } from './join-segment';
import type { SidecarStore } from './sealed-segment';

/** Joins the small batches of segments until it is stopped, and counts. */
export class SegmentJoiner {
  /** Segments that were joined, since the start. */
  joinedCount = 0;
  /** Segments where that failed, since the start. */
  failedCount = 0;
  readonly #journal: Pick<Journal, 'read' | 'rewrite'>;
  readonly #log: Pick<Logger, 'error'>;
  readonly #stopping = new AbortController();

  constructor(journal: Pick<Journal, 'read' | 'rewrite'>, log: Pick<Logger, 'error'>) {
    this.#journal = journal;
    this.#log = log;
  }

  /** As SidecarStore says; rejects once it was stopped. */
  readonly join: SidecarStore['join'] = (place, index) =>
    joinSegment(
      {
        journal: this.#journal,
        signal: this.#stopping.signal,
        onJoined: () => (this.joinedCount += 1),
        onFailure: (err) => {
          this.failedCount += 1;
          this.#log.error(
            { err, segment: place.start },
            'small batches could not be joined: the segment stays as large as it is',
          );
        },
      },
      place,
      index,
    );

  /**
   * Gives up what is under way: a large segment takes longer than a process has to stop. It stays without a sidecar, and is
   * joined at the next start.
   */
  stop(): void {
    this.#stopping.abort();
  }
}
