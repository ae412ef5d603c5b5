import type { Files } from '@auditing/journal/files';
import { openJournal } from '@auditing/journal/open-journal';
import { Outbox, type OutboxMeans } from './outbox';
import { replay } from './outbox-replay';
import type { NoiseLimits } from './outbox-state';

/** Small, so that little more is kept than is needed: only whole segments are removed. */
const SEGMENT_BYTES = 8 * 1024 * 1024;

/** How an outbox is opened. */
export interface OutboxOptions extends OutboxMeans {
  readonly directory: string;
  readonly noise: NoiseLimits;
  /** File operations; the real ones unless a test gives others. */
  readonly files?: Files;
}

/** Opens an outbox and brings back what it held. */
export async function openOutbox(options: OutboxOptions): Promise<Outbox> {
  const { directory, files, log, noise } = options;
  const journal = await openJournal({
    directory,
    segmentBytes: SEGMENT_BYTES,
    ...(files && { files }),
    onRepair: (repair) => log.warn(repair, 'outbox had a torn end, as after a crash'),
  });
  return new Outbox(options, journal, await replay({ journal, log, noise }));
}
