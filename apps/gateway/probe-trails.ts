import type { Verdicts } from '@auditing/proto/event';
import { cancelled } from '@auditing/service/wait';
import { alertCount } from './alerts-from';

/** What the rules said of a probe. */
export interface DecidedProbe {
  readonly atMs: number;
  readonly ruleSetVersion: string;
  /** How many alerts it raises; one, unless the rule service does not know probes. */
  readonly alertCount: number;
}

/** How far one probe is. Both wait until it is so far, and reject with CANCELLED when the signal aborts. */
export interface ProbeTrail {
  readonly decided: (signal: AbortSignal) => Promise<DecidedProbe>;
  readonly raised: (signal: AbortSignal) => Promise<{ readonly atMs: number }>;
  /** Nobody waits for it any more. */
  readonly end: () => void;
}

interface Marks {
  readonly decided: Mark<DecidedProbe>;
  readonly raised: Mark<{ readonly atMs: number }>;
}

/** How far the probes are that somebody waits for. One of an earlier run of the gateway goes on, and nobody is told. */
export class ProbeTrails {
  readonly #waiting = new Map<string, Marks>();

  begin(marker: string): ProbeTrail {
    const marks: Marks = { decided: new Mark(), raised: new Mark() };
    this.#waiting.set(marker, marks);
    return {
      decided: (signal) => marks.decided.reached(signal),
      raised: (signal) => marks.raised.reached(signal),
      end: () => void this.#waiting.delete(marker),
    };
  }

  /** The decision on a probe is on disk. */
  decided(marker: string, verdicts: Verdicts | undefined): void {
    this.#waiting.get(marker)?.decided.reach({
      atMs: Date.now(),
      ruleSetVersion: verdicts?.ruleSetVersion ?? '',
      alertCount: verdicts ? alertCount(verdicts) : 0,
    });
  }

  /** The alert service has the alert of a probe on disk. */
  raised(marker: string): void {
    this.#waiting.get(marker)?.raised.reach({ atMs: Date.now() });
  }
}

/** Something that happens once, which can be waited for. */
class Mark<T> {
  #value: T | undefined;
  #reached: (value: T) => void = () => undefined;

  reach(value: T): void {
    this.#value ??= value;
    this.#reached(value);
  }

  reached(signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#value !== undefined) {
        resolve(this.#value);
        return;
      }
      const onAbort = (): void => reject(cancelled());
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      this.#reached = (value) => {
        signal.removeEventListener('abort', onAbort);
        resolve(value);
      };
    });
  }
}
