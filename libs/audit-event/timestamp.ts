import type { Timestamp } from '@auditing/proto/timestamp';

/** RFC 3339 text to microseconds since 1970 (UTC); 0 for anything else. */
export declare function microsFromText(text: unknown): number;
/** Microseconds to RFC 3339 text, UTC, 6 digits; empty for 0. */
export declare function textFromMicros(micros: number): string;
/** Undefined for 0. */
export declare function timestampFromMicros(micros: number): Timestamp | undefined;
/** 0 for undefined. */
export declare function microsFromTimestamp(timestamp: Timestamp | undefined): number;
