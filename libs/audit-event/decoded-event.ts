import { Source, Strip } from '@auditing/proto/event';
import type { BodySpans } from './body-spans';
import { EventDocument, type BodyField } from './event-document';
import type { EventField, EventFields, JsonValue } from './event-fields';
import { columnPlace, type EventTable } from './event-table';
import { stripBodies } from './strip';
import { microsFromText } from './timestamp';

/** The row of an event that is in no table. */
const NO_ROW = -1;

/** Which bodies an event has. */
type Bodies = Readonly<Record<BodyField, boolean>>;

/** The four that there are: an event holds one of them, not one of its own. */
const BODIES: readonly Bodies[] = [
  { RequestObject: false, ResponseObject: false },
  { RequestObject: true, ResponseObject: false },
  { RequestObject: false, ResponseObject: true },
  { RequestObject: true, ResponseObject: true },
];

/** Which bodies an event has. */
function bodiesOf(hasRequest: boolean, hasResponse: boolean): Bodies {
  return BODIES[(hasRequest ? 1 : 0) + (hasResponse ? 2 : 0)] as Bodies;
}

/** What was read of an event. */
interface Read {
  readonly bodies: Bodies;
  /** Undefined until somebody asks for what no row holds. */
  readonly document: EventDocument | undefined;
  /** The table it was put into, and its row there; undefined and NO_ROW until then. */
  readonly table: EventTable | undefined;
  readonly row: number;
  /** Where its bodies are; undefined if nobody has looked. */
  readonly spans: BodySpans | undefined;
}

/** One event, read out of its own bytes. */
export class DecodedEvent implements EventFields {
  private readonly bodies: Bodies;
  private document: EventDocument | undefined;
  private inTable: EventTable | undefined;
  private inRow: number;
  private readonly spans: BodySpans | undefined;
  /** Bodies that somebody asked for. */
  private built: Partial<Record<BodyField, JsonValue>> | undefined;
  private filledWorkspace = '';

  /** Use decodeEvent. */
  constructor(
    /** The event as received or, after `stripped`, as archived. */
    readonly bytes: Buffer,
    readonly source: Source,
    { bodies, document, table, row, spans }: Read,
  ) {
    this.bodies = bodies;
    this.document = document;
    this.inTable = table;
    this.inRow = row;
    this.spans = spans;
  }

  /** The table it was put into, if it was. */
  get table(): EventTable | undefined {
    return this.inTable;
  }

  /** Its row in the table; below 0 without one. */
  get row(): number {
    return this.inRow;
  }

  /** Whether a workspace was filled in. */
  get isFilled(): boolean {
    return this.filledWorkspace !== '';
  }

  /** RequestReceivedTimestamp in microseconds since 1970 (UTC); 0 where absent or unreadable. */
  get requestReceivedUs(): number {
    const { inTable: table, inRow: row } = this;
    if (table) return table.requestReceivedUs[row] ?? 0;
    return microsFromText(this.get('RequestReceivedTimestamp'));
  }

  /** StageTimestamp, likewise. */
  get stageUs(): number {
    const { inTable: table, inRow: row } = this;
    if (table) return table.stageUs[row] ?? 0;
    return microsFromText(this.get('StageTimestamp'));
  }

  get(field: EventField): JsonValue | undefined {
    const { inTable: table, spans } = this;
    const column = table && columnPlace(field);
    let value: JsonValue | undefined;
    if (column !== undefined) value = table?.value(column, this.inRow);
    else if (spans && (field === 'RequestObject' || field === 'ResponseObject'))
      value = this.body(field, spans);
    else value = this.whole().get(field);
    return field === 'Workspace' && (value ?? '') === '' ? this.filledWorkspace : value;
  }

  other(key: string): JsonValue | undefined {
    return this.whole().other(key);
  }

  /** True if the event has this body and it is not null. */
  hasObject(which: BodyField): boolean {
    return this.bodies[which];
  }

  /** Gives the event a workspace, for `get`, in case it has none of its own. */
  fillWorkspace(workspace: string): void {
    this.filledWorkspace = workspace;
  }

  /**
   * Puts what is mostly read of it into a table, and lets go of the parsed JSON: it is parsed again if somebody asks for
   * more, which few rules do.
   */
  moveInto(table: EventTable): void {
    this.inRow = table.add(this.whole());
    this.inTable = table;
    this.letGo();
  }

  /** Lets go of JSON that was parsed for somebody who asked for more than its row holds. */
  letGo(): void {
    this.built = undefined;
    if (this.inTable) this.document = undefined;
  }

  /** The event as it is after a strip, in bytes and fields; itself where there is nothing to remove. */
  stripped(strip: Strip): DecodedEvent {
    const removesResponse = strip === Strip.RESPONSE || strip === Strip.BODIES;
    const removesRequest = strip === Strip.BODIES;
    const { RequestObject, ResponseObject } = this.bodies;
    if (!(removesResponse && ResponseObject) && !(removesRequest && RequestObject)) return this;
    const bodies = bodiesOf(RequestObject && !removesRequest, ResponseObject && !removesResponse);
    const bytes = stripBodies(this.bytes, strip);
    // Bodies are in no column.
    const event = new DecodedEvent(bytes, this.source, {
      bodies,
      document: undefined,
      table: this.inTable,
      row: this.inRow,
      spans: undefined,
    });
    event.filledWorkspace = this.filledWorkspace;
    return event;
  }

  /** A body by itself: the rest of a large event is not parsed for it. */
  private body(which: BodyField, spans: BodySpans): JsonValue | undefined {
    const span = spans[which];
    if (span === undefined) return undefined;
    const built = (this.built ??= {});
    built[which] ??= JSON.parse(this.bytes.toString('utf8', span.start, span.end)) as JsonValue;
    return built[which];
  }

  private whole(): EventDocument {
    const { bytes, spans } = this;
    this.document ??= spans ? EventDocument.cut(bytes, spans) : EventDocument.parse(bytes);
    return this.document;
  }
}

/**
 * Reads one event. Its source is known by its own keys (`AuditID` Kube AI Hub, `auditID` Kubernetes), else it is
 * `listSource`.
 *
 * Throws SyntaxError if the bytes are not exactly one valid JSON object.
 */
export function decodeEvent(bytes: Buffer, listSource: Source): DecodedEvent {
  const document = EventDocument.parse(bytes);
  const bodies = bodiesOf(
    document.hasObject('RequestObject'),
    document.hasObject('ResponseObject'),
  );
  return new DecodedEvent(bytes, sourceOf(document, listSource), {
    bodies,
    document,
    table: undefined,
    row: NO_ROW,
    spans: undefined,
  });
}

/** An event that was read into a table, without its JSON. */
export function tabledEvent(
  bytes: Buffer,
  source: Source,
  {
    spans,
    table,
    row,
  }: { readonly spans: BodySpans; readonly table: EventTable; readonly row: number },
): DecodedEvent {
  const { RequestObject, ResponseObject } = spans;
  const bodies = bodiesOf(RequestObject !== undefined, ResponseObject !== undefined);
  return new DecodedEvent(bytes, source, { bodies, document: undefined, table, row, spans });
}

function sourceOf({ head }: EventDocument, listSource: Source): Source {
  if (head.auditID !== undefined) return Source.KUBERNETES;
  return head.AuditID === undefined ? listSource : Source.KUBE_AI_HUB;
}
