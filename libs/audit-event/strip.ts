import type { Strip } from '@auditing/proto/event';

/** The event without its top-level request and response objects, as `strip` says; all other bytes as they are. */
export declare function stripBodies(bytes: Buffer, strip: Strip): Buffer;
