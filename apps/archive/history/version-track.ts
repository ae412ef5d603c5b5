import { ObjectVersion, type ObjectHistoryResponse } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';

import { jsonDiff } from './json-diff';
import { kindOf, uidOf, type ShownVersion } from './object-version';

/** Who owns which field: it changes with every write, and says nothing that the change itself does not. */
const IGNORED: ReadonlySet<string> = new Set(['/metadata/managedFields']);

interface KnownVersion {
  readonly key: Buffer;
  readonly body: NonNullable<ShownVersion['body']>;
}

/** What an answer says of one event, but for the event. */
export type HistoryStep = Pick<
  ObjectHistoryResponse,
  'version' | 'previousKey' | 'changes' | 'omittedChangeCount'
>;

const NO_STEP = { previousKey: Buffer.alloc(0), changes: [], omittedChangeCount: 0 };

/** The last versions of an object that were seen. What was stored and what was only asked for are compared with their like. */
export class VersionTrack {
  readonly #last = new Map<string, KnownVersion>();

  /** Takes the next event, oldest first. */
  next(event: AuditEvent, { version, body }: ShownVersion): HistoryStep {
    if (isRemoval(event)) this.#forgetRequests();
    if (body === undefined || version === ObjectVersion.PATCH) return { ...NO_STEP, version };
    const chain = `${version} ${kindOf(body)}`;
    const before = this.#last.get(chain);
    this.#last.set(chain, { key: event.key, body });
    // Another uid: the object of this name was removed and made again.
    if (before === undefined || uidOf(before.body) !== uidOf(body)) return { ...NO_STEP, version };
    const { changes, omittedCount } = jsonDiff(before.body, body, IGNORED);
    return {
      version,
      previousKey: before.key,
      changes: [...changes],
      omittedChangeCount: omittedCount,
    };
  }

  /** Takes an event from before, newest first. True once a stored version is known: nothing older is needed. */
  lookBack(event: AuditEvent, { version, body }: ShownVersion): boolean {
    if (isRemoval(event)) return true;
    if (body === undefined || version === ObjectVersion.PATCH) return false;
    const chain = `${version} ${kindOf(body)}`;
    if (!this.#last.has(chain)) this.#last.set(chain, { key: event.key, body });
    return version === ObjectVersion.RESPONSE && (event.objectRef?.subresource ?? '') === '';
  }

  /** A body that was sent has no uid that would tell it from the one before the removal. */
  #forgetRequests(): void {
    for (const chain of this.#last.keys()) {
      if (chain.startsWith(`${ObjectVersion.REQUEST} `)) this.#last.delete(chain);
    }
  }
}

function isRemoval({ verb, objectRef, responseStatus }: AuditEvent): boolean {
  const code = responseStatus?.code ?? 0;
  const whole = (objectRef?.subresource ?? '') === '';
  return whole && code >= 200 && code <= 299 && (verb === 'delete' || verb === 'deletecollection');
}
