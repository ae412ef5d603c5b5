import { microsFromTimestamp, timestampFromMicros } from '@auditing/audit-event/timestamp';
import {
  Match,
  ObjectHistoryResponse,
  Order,
  Query,
  type Condition,
  type ObjectHistoryRequest,
} from '@auditing/proto/archive';
import { Field, type AuditEvent } from '@auditing/proto/event';

import { allEvents } from '../all-events';
import type { Engine } from '../engine';
import { readHistoryCursor, writeHistoryCursor } from './history-cursor';
import { shownVersion, speaksOf } from './object-version';
import { VersionTrack } from './version-track';

type Searching = Pick<Engine, 'search'>;

const WRITES = ['create', 'update', 'patch', 'delete', 'deletecollection'];
/** Requests whose event may lack the name of the object: its name was made, or many were removed at once. */
const NAMELESS = ['create', 'deletecollection'];

/** Events looked at for the version before the first one given: a controller may have written its status often. */
const LOOK_BACK_EVENTS = 100n;

/** All events of an object, oldest first, each with what it changed. */
export async function* objectHistory(
  engine: Searching,
  request: ObjectHistoryRequest,
  signal: AbortSignal,
): AsyncIterable<ObjectHistoryResponse> {
  const place = readHistoryCursor(request.cursor);
  const start = place === undefined ? request.query?.start : timestampFromMicros(place.timeUs);
  const track = new VersionTrack();
  if (start !== undefined) await lookBack(engine, { request, track, start }, signal);
  const counts = new TimeCounts();
  let given = 0;
  for await (const event of eventsOf(
    engine,
    { ...request, query: within(request, { start }) },
    signal,
  )) {
    const givenAtTime = counts.add(event);
    const step = track.next(event, shownVersion(event, request.name));
    // Given with the page before; it was looked at for its version.
    if (place?.timeUs === counts.timeUs && givenAtTime <= place.givenCount) continue;
    if (given === request.limit) {
      yield ObjectHistoryResponse.create({ nextCursor: counts.before() });
      return;
    }
    given += 1;
    yield ObjectHistoryResponse.create({
      ...step,
      event: request.includeRaw ? event : { ...event, raw: Buffer.alloc(0) },
    });
  }
}

interface LookBack {
  readonly request: ObjectHistoryRequest;
  readonly track: VersionTrack;
  readonly start: NonNullable<Query['start']>;
}

/** Finds the version that was in force when the events given begin. */
async function lookBack(
  engine: Searching,
  { request, track, start }: LookBack,
  signal: AbortSignal,
): Promise<void> {
  const end = timestampFromMicros(microsFromTimestamp(start) - 1);
  const query = within(request, { start: undefined, end });
  const wanted = {
    query: {
      ...query,
      conditions: [...query.conditions, ...namedConditions(request), verbs(WRITES)],
    },
    order: Order.NEWEST_FIRST,
    limit: LOOK_BACK_EVENTS,
  };
  for await (const event of allEvents(engine, wanted, signal)) {
    if (track.lookBack(event, shownVersion(event, request.name))) return;
  }
}

/** The events that name the object and those that do not, in order of time. */
async function* eventsOf(
  engine: Searching,
  request: ObjectHistoryRequest,
  signal: AbortSignal,
): AsyncIterable<AuditEvent> {
  const query = request.query ?? Query.create();
  const search = (conditions: readonly Condition[], text: string): AsyncIterator<AuditEvent> =>
    allEvents(
      engine,
      {
        query: { ...query, text, conditions: [...query.conditions, ...conditions] },
        order: Order.OLDEST_FIRST,
        limit: 0n,
      },
      signal,
    )[Symbol.asyncIterator]();
  const writes = request.writesOnly ? [verbs(WRITES)] : [];
  const named = search([...namedConditions(request), ...writes], query.text);
  const others = search(
    [...objectConditions(request), exact(Field.NAME, ['']), verbs(NAMELESS)],
    query.text === '' ? request.name : query.text,
  );
  let name = await named.next();
  let other = await others.next();
  while (name.done !== true || other.done !== true) {
    const takesOther =
      other.done !== true && (name.done === true || timeOf(other.value) < timeOf(name.value));
    if (takesOther) {
      if (speaksOf(other.value as AuditEvent, request.name)) yield other.value as AuditEvent;
      other = await others.next();
    } else {
      yield name.value as AuditEvent;
      name = await named.next();
    }
  }
}

/** How many events of the same time came so far. */
class TimeCounts {
  timeUs = -1;
  #count = 0;
  #before = { timeUs: 0, givenCount: 0 };

  /** Which of the events of its time this is, from 1. */
  add(event: AuditEvent): number {
    this.#before = { timeUs: this.timeUs, givenCount: this.#count };
    const timeUs = timeOf(event);
    this.#count = timeUs === this.timeUs ? this.#count + 1 : 1;
    this.timeUs = timeUs;
    return this.#count;
  }

  /** The cursor behind the event before the last one. */
  before(): string {
    return writeHistoryCursor(this.#before);
  }
}

/** The time by which events are ordered: archive.proto. */
function timeOf(event: AuditEvent): number {
  const time = event.requestReceivedTimestamp ?? event.stageTimestamp ?? event.receivedAt;
  return time === undefined ? 0 : microsFromTimestamp(time);
}

function within(
  request: ObjectHistoryRequest,
  times: Partial<Pick<Query, 'start' | 'end'>>,
): Query {
  return { ...(request.query ?? Query.create()), ...times };
}

function namedConditions(request: ObjectHistoryRequest): readonly Condition[] {
  return [...objectConditions(request), exact(Field.NAME, [request.name])];
}

function objectConditions({
  apiGroup,
  resource,
  namespace,
}: ObjectHistoryRequest): readonly Condition[] {
  return [
    exact(Field.RESOURCE, [resource]),
    exact(Field.NAMESPACE, [namespace]),
    exact(Field.API_GROUP, [apiGroup]),
  ];
}

function verbs(values: readonly string[]): Condition {
  return exact(Field.VERB, values);
}

function exact(field: Field, values: readonly string[]): Condition {
  return { field, match: Match.EXACT, values: [...values], negate: false };
}
