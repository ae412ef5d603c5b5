import type { Message } from './endpoint';
import type { Outgoing } from './receiver';
import type { Place } from './discovery';
import type { Access } from './access';

/** What a test of a receiver needs to go each step by itself. */
export interface TestWays {
  /** Its servers, as they are found now. */
  readonly places: (signal: AbortSignal) => Promise<readonly Place[]>;
  /** Reads the secrets. */
  readonly access: () => Promise<Access>;
  readonly caBundle: Buffer;
  /** Where an alert is posted, below the url of a place. */
  readonly pathAt: (place: Place) => string;
  /** What is posted. */
  readonly messageOf: (outgoing: Outgoing) => Message;
  /** Where the alert of a marker can be asked for, below the url of a place; undefined where nothing can be asked. */
  readonly seenPathAt: ((place: Place, marker: string) => string) | undefined;
}
