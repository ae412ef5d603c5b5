import type { AuditEvent, Source, Strip } from '@auditing/proto/event';

/** What is known of an archived event besides its bytes. */
export interface EventExtras {
  readonly key: Buffer;
  /** Used where the event's own keys do not say it. */
  readonly listSource: Source;
  /** Microseconds since 1970. */
  readonly receivedAtUs?: number;
  /** The workspace that was filled in. */
  readonly workspace?: string;
  readonly rules?: readonly string[];
  readonly message?: string;
  readonly strip?: Strip;
  readonly includeRaw?: boolean;
}

/** The typed view of an archived event. Never throws because of what the event holds. */
export declare function typedEvent(bytes: Buffer, extras: EventExtras): AuditEvent;
