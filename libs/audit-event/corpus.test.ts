import { isDeepStrictEqual } from 'node:util';
import { Field, Source, Strip } from '@auditing/proto/event';
import { ARCHIVE_FIELDS, ColumnEvent, ColumnTable, buildColumns, eventFieldOf } from './columns';
import { type DecodedBody, decodeBody } from './decode-body';
import { EVENT_FIELDS } from './event-fields';
import { splitBody } from './split-body';
import { stripBodies } from './strip';
import { CORPUS, type RecordedBody, TESTDATA, readBodies } from './testing/bodies';
import { typedEvent } from './typed-event';

/** Events by folder, as the README of the corpus has them. */
const CORPUS_EVENTS = {
  typical: 2219,
  metadata: 6400,
  requestresponse: 6341,
  truncated: 2952,
  v1beta1: 2769,
  'kube-ai-hub-v3': 1747,
  'kube-ai-hub-v4': 1747,
};
const TESTDATA_EVENTS = {
  typical: 165,
  metadata: 400,
  requestresponse: 800,
  truncated: 430,
  v1beta1: 429,
  'kube-ai-hub-v3': 101,
  'kube-ai-hub-v4': 201,
};
/** The whole corpus is 27 MB, parsed several times over. */
const SLOW_MS = 120_000;

const RECORDED = [
  { what: 'the recorded bodies', bodies: readBodies(TESTDATA), events: TESTDATA_EVENTS },
  { what: 'the whole corpus', bodies: readBodies(CORPUS), events: CORPUS_EVENTS },
].filter(({ bodies }) => bodies.length > 0);

type Parsed = Record<string, unknown>;
type Decoded = RecordedBody & DecodedBody;

/** The events of a body by another road: JSON.parse, and for objects without a separator a cut at `}{`. */
function expectedEvents({ folder, bytes }: RecordedBody): Parsed[] {
  const text = bytes.toString();
  if (folder === 'kube-ai-hub-v4') {
    return JSON.parse(`[${text.replaceAll('}{"Workspace":', '},{"Workspace":')}]`) as Parsed[];
  }
  const list = JSON.parse(text) as { items?: Parsed[]; Items?: Parsed[] };
  return list.items ?? list.Items ?? [];
}

/** What stands before the first and after the last event in bodies of API servers. */
function around({ folder, bytes }: RecordedBody): [Buffer, Buffer] {
  if (folder === 'kube-ai-hub-v4') return [Buffer.alloc(0), Buffer.alloc(0)];
  const start = bytes.indexOf('tems":[') + 'tems":['.length;
  return [bytes.subarray(0, start), bytes.subarray(bytes.lastIndexOf(']}'))];
}

describe.each(RECORDED)('$what', ({ bodies, events }) => {
  const decoded: Decoded[] = [];

  beforeAll(async () => {
    for (const body of bodies) decoded.push({ ...body, ...(await decodeBody(body.bytes)) });
  }, SLOW_MS);

  test('hold as many events as their README says', () => {
    const counts: Record<string, number> = {};
    for (const body of decoded) {
      counts[body.folder] = (counts[body.folder] ?? 0) + body.events.length;
    }
    expect(counts).toEqual(events);
  });

  test('split into slices that are, byte for byte, all of the list', () => {
    const wrong = bodies.filter((body) => {
      const { slices, badItems } = splitBody(body.bytes);
      const separator = Buffer.from(body.folder === 'kube-ai-hub-v4' ? '' : ',');
      const joined = slices.flatMap((slice, index) => (index > 0 ? [separator, slice] : [slice]));
      const [head, tail] = around(body);
      const whole = Buffer.concat([head, ...joined, tail]);
      return badItems.length > 0 || !whole.equals(body.bytes);
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  test(
    'decode to what JSON.parse makes of the whole body',
    () => {
      const wrong = decoded.filter((body) => {
        const expected = expectedEvents(body);
        const { slices } = splitBody(body.bytes);
        const source = body.folder.startsWith('kube') ? Source.KUBE_AI_HUB : Source.KUBERNETES;
        const same = body.events.every((event, index) => {
          const item = expected[index] ?? {};
          return (
            event.source === source &&
            slices[index]?.equals(event.bytes) &&
            Object.keys(item).every((key) => isDeepStrictEqual(event.other(key), item[key]))
          );
        });
        return !same || body.events.length !== expected.length || body.badItems.length > 0;
      });
      expect(wrong.map(({ name }) => name)).toEqual([]);
    },
    SLOW_MS,
  );

  test(
    'read the same from columns as from the event',
    () => {
      const fields = [...ARCHIVE_FIELDS, Field.REQUEST_URI, Field.API_VERSION, Field.DEVOPS];
      const wrong: string[] = [];
      for (const body of decoded) {
        const table = new ColumnTable(buildColumns(body.events, fields));
        body.events.forEach((event, row) => {
          const viewed = new ColumnEvent(table, row);
          const whole = new ColumnEvent(new ColumnTable([]), 0, event.bytes);
          for (const name of EVENT_FIELDS) {
            const value = event.get(name);
            if (!isDeepStrictEqual(whole.get(name), value)) wrong.push(`${name}: document`);
          }
          for (const name of fields.map(eventFieldOf)) {
            if (name && !isDeepStrictEqual(viewed.get(name), event.get(name) ?? undefined)) {
              wrong.push(`${name}: column`);
            }
          }
        });
      }
      expect(wrong).toEqual([]);
    },
    SLOW_MS,
  );

  test(
    'lose their bodies and nothing else in a strip',
    () => {
      const wrong = decoded.filter((body) =>
        body.events.some((event) => {
          const expected = JSON.parse(event.bytes.toString()) as Parsed;
          for (const key of Object.keys(expected)) {
            if (/^(request|response)object$/i.test(key)) Reflect.deleteProperty(expected, key);
          }
          const stripped = JSON.parse(stripBodies(event.bytes, Strip.BODIES).toString()) as Parsed;
          const view = event.stripped(Strip.BODIES);
          const left = view.hasObject('RequestObject') || view.hasObject('ResponseObject');
          return left || !isDeepStrictEqual(stripped, expected);
        }),
      );
      expect(wrong.map(({ name }) => name)).toEqual([]);
    },
    SLOW_MS,
  );

  test(
    'have a typed view each',
    () => {
      const wrong = decoded.filter((body) =>
        body.events.some((event) => {
          const typed = typedEvent(event.bytes, {
            key: Buffer.alloc(32),
            listSource: body.listSource,
          });
          const stageMs = Date.parse(event.get('StageTimestamp') as string);
          return (
            typed.auditId !== event.get('AuditID') ||
            typed.stageTimestamp?.seconds !== BigInt(Math.floor(stageMs / 1000)) ||
            typed.user?.username !== (event.get('User.username') ?? '') ||
            (typed.responseStatus?.code ?? 0) !== (event.get('ResponseStatus.code') ?? 0)
          );
        }),
      );
      expect(wrong.map(({ name }) => name)).toEqual([]);
    },
    SLOW_MS,
  );
});
