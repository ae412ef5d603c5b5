import type { Source, Strip } from '@auditing/proto/event';
import type { EventField, EventFields, JsonValue } from './event-fields';

/** One event out of its own bytes. */
export declare class DecodedEvent implements EventFields {
  /** The event as received, or as stripped. */
  readonly bytes: Buffer;
  readonly source: Source;
  /** Microseconds since 1970; 0 where absent or unreadable. */
  readonly requestReceivedUs: number;
  readonly stageUs: number;
  get(field: EventField): JsonValue | undefined;
  other(key: string): JsonValue | undefined;
  /** True if the event has this body and it is not null; does not parse it. */
  hasObject(which: 'RequestObject' | 'ResponseObject'): boolean;
  /** Gives an event without a workspace one. */
  fillWorkspace(workspace: string): void;
  /** The event as it is after a strip; itself where there is nothing to remove. */
  stripped(strip: Strip): DecodedEvent;
}

/** Reads one event. Throws SyntaxError if the bytes are not one JSON object. */
export declare function decodeEvent(bytes: Buffer, listSource: Source): DecodedEvent;
