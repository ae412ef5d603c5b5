import { Source } from '@auditing/proto/event';
import { decodeBody } from './decode-body';

const decode = (text: string) => decodeBody(Buffer.from(text));

describe('decodeBody', () => {
  test('is not misled by the marker deep inside an event', async () => {
    const inner = '[{"level":"a"},{"level":"b"}]';
    const events = [
      `{"level":"Request","requestObject":${inner}}`,
      `{"level":"Request","x":"}]}","y":${inner}}`,
      '{"level":"Metadata","z":"{\\"level\\":\\""}',
    ];
    const { events: decoded } = await decode(`{"items":[${events.join(',')}]}`);
    expect(decoded.map(({ bytes }) => String(bytes))).toEqual(events);
  });

  test('finds items that do not begin like the first one', async () => {
    const { events } = await decode(
      '{"items":[{"level":"a"},{"x":1},{"level":"b"} , {"level":"c"}]}',
    );
    expect(events.map(({ bytes }) => String(bytes))).toEqual([
      '{"level":"a"}',
      '{"x":1}',
      '{"level":"b"}',
      '{"level":"c"}',
    ]);
  });

  test('sets an event that is not valid JSON aside and keeps the others', async () => {
    const { events, badItems } = await decode(
      '{"items":[{"level":"a"},{"level":tru},{"level":"c"}]}',
    );
    expect(events).toHaveLength(2);
    expect(badItems).toHaveLength(1);
    expect(badItems[0]?.at).toBe('$.items[1]');
    expect(badItems[0]?.reason).toMatch(/not valid JSON/);
    expect(String(badItems[0]?.bytes)).toBe('{"level":tru}');
  });

  test('sets a large event aside whose body is not valid JSON', async () => {
    const pad = 'x'.repeat(5000);
    const { events, badItems } = await decode(
      `{"items":[{"level":"a"},{"pad":"${pad}","requestObject":{"a":01}},{"pad":"${pad}","requestObject":{"a":1}}]}`,
    );
    expect(events).toHaveLength(2);
    expect(badItems).toEqual([expect.objectContaining({ at: '$.items[1]' })]);
  });

  test('rejects a body in which no event is valid JSON', async () => {
    await expect(decode('{"items":[{"level":tru}]}')).rejects.toMatchObject({
      name: 'BodyError',
      at: '$.items[0]',
    });
    await expect(decode('{"auditID":}')).rejects.toMatchObject({ name: 'BodyError' });
  });

  test('takes the source from the event, else from the list', async () => {
    const { events } = await decode('{"Items":[{"auditID":"a"},{"AuditID":"b"},{"Verb":"get"}]}');
    expect(events.map(({ source }) => source)).toEqual([
      Source.KUBERNETES,
      Source.KUBE_AI_HUB,
      Source.KUBE_AI_HUB,
    ]);
  });

  test('gives way to the event loop while it works', async () => {
    const body = Buffer.from(`[${'{"level":"Metadata","x":[1,2,3]},'.repeat(50_000)}{}]`);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const { events } = await decodeBody(body, { yieldEveryMs: 2 });
    clearInterval(timer);
    expect(events).toHaveLength(50_001);
    expect(turns).toBeGreaterThan(2);
  });

  test('ends when its signal aborts', async () => {
    const controller = new AbortController();
    const body = Buffer.from(`[${'{"level":"Metadata"},'.repeat(100_000)}{}]`);
    const decoding = decodeBody(body, { yieldEveryMs: 1, signal: controller.signal });
    controller.abort(new Error('shutting down'));
    await expect(decoding).rejects.toThrow('shutting down');
  });

  test('a body is built when it is asked for, once, and let go of', async () => {
    const { events } = await decode(
      '[{"auditID":"a","requestObject":{"a":"\u00e9"},"responseObject":null},{"auditID":"b"}]',
    );
    const [one, other] = events;
    const first = one?.get('RequestObject');
    expect(first).toEqual({ a: '\u00e9' });
    expect(one?.get('RequestObject')).toBe(first);
    one?.letGo();
    expect(one?.get('RequestObject')).not.toBe(first);
    expect(one?.get('RequestObject')).toEqual(first);
    expect(one?.get('ResponseObject')).toBeUndefined();
    expect(other?.get('RequestObject')).toBeUndefined();
  });
});
