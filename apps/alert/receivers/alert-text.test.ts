import { AlertKind } from '@auditing/proto/alert';
import { AuditEvent, Priority } from '@auditing/proto/event';
import { RaisedAlert } from '@auditing/proto/outbox';
import { outgoing, sampleAlert } from '../testing/samples';
import type { Outgoing } from './receiver';
import { annotationsOf, cutToBytes, labelsOf, startOf } from './alert-text';
import { alertsBody, endingAfter, firingAlert } from './firing-alert';
import { goTime } from './go-time';

function raised(
  fields: Parameters<typeof AuditEvent.fromPartial>[0] = {},
  rule = 'r.Entry',
): Outgoing {
  const event = AuditEvent.fromPartial({ key: Buffer.alloc(32, 1), ...fields });
  const raisedAlert = RaisedAlert.fromPartial({
    id: Buffer.alloc(32),
    alert: { ...sampleAlert('x'), rule, event },
    raisedAtUs: Date.parse('2026-11-23T17:00:00Z') * 1_000,
  });
  return outgoing(raisedAlert);
}

const TEXT = { hasTimeLabel: true, externalUrl: '' };

describe('labels', () => {
  test('leave out what the event does not say', () => {
    expect(labelsOf(raised(), TEXT)).toEqual({ alertname: 'Entry', alerttype: 'auditing' });
  });

  test('name the entry, however many dots the resource has', () => {
    expect(labelsOf(raised({}, 'my.team.rules.DeletePod'), TEXT)).toMatchObject({
      alertname: 'DeletePod',
    });
  });

  test('are valid UTF-8 of bounded length', () => {
    const labels = labelsOf(raised({ user: { username: `\ud800${'é'.repeat(2_000)}` } }), TEXT);
    const bytes = Buffer.from(labels['user'] ?? '');
    expect(bytes.length).toBeLessThanOrEqual(1_024);
    expect(bytes.length).toBeGreaterThan(1_020);
    expect(labels['user']).toMatch(/^\ufffdé+$/);
  });
});

describe('labels without the time', () => {
  const STABLE = { ...TEXT, hasTimeLabel: false };
  const at = (seconds: bigint, cluster: string) =>
    raised({
      cluster,
      auditId: String(seconds),
      user: { username: 'admin', groups: ['a'] },
      requestReceivedTimestamp: { seconds, nanos: 0 },
    });

  test('are the same for events that differ in time alone, and tell clusters apart', () => {
    const labels = labelsOf(at(1n, 'host'), STABLE);
    expect(labels).toEqual({
      alertname: 'Entry',
      alerttype: 'auditing',
      user: 'admin',
      cluster: 'host',
    });
    expect(labelsOf(at(2n, 'host'), STABLE)).toEqual(labels);
    expect(labelsOf(at(2n, 'member'), STABLE)).not.toEqual(labels);
  });
});

describe('what a group or a digest has come to', () => {
  const seen = { firstSeen: { seconds: 60n, nanos: 0 }, lastSeen: { seconds: 120n, nanos: 5e8 } };

  test('is in annotations', () => {
    const one = raised();
    const summary = { ...one.summary, ...seen, count: 7, outcome: '403 Forbidden' };
    expect(annotationsOf({ ...one, summary }, TEXT)).toMatchObject({
      count: '7',
      firstSeen: '1970-01-01T00:01:00.000Z',
      lastSeen: '1970-01-01T00:02:00.500Z',
      outcome: '403 Forbidden',
    });
  });

  test('has a link to the event, or to the events of a digest', () => {
    const text = { ...TEXT, externalUrl: 'https://audit.example.com' };
    const one = raised();
    const events = 'https://audit.example.com/apis/query.auditing.kubesphere.io/v1alpha1/events';
    expect(firingAlert(one, TEXT)).not.toHaveProperty('generatorURL');
    expect(firingAlert(one, text).generatorURL).toBe(`${events}/${'01'.repeat(32)}`);
    const keys = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    const digest = {
      ...one,
      kind: AlertKind.DIGEST,
      summary: { ...one.summary, ...seen, count: 2, eventKeys: keys },
    };
    const firing = firingAlert(digest, text);
    expect(firing.annotations['link']).toBe(`${events}?rule=r.Entry&start=60&end=121`);
    expect(firing.annotations['eventKeys']).toBe(`${'01'.repeat(32)}, ${'02'.repeat(32)}`);
    expect(firing.labels).toMatchObject({ alertname: 'Entry', digest: 'true' });
  });
});

describe('annotations', () => {
  test.each([
    [Priority.WARNING, 'WARNING', 'warning'],
    [Priority.INFO, 'INFO', 'info'],
    [Priority.DEBUG, 'DEBUG', 'info'],
  ])('say how bad it is: %s', (priority, word, severity) => {
    const one = raised({ cluster: 'host', workspace: 'team' });
    if (one.raised.alert) one.raised.alert.priority = priority;
    expect(annotationsOf(one, TEXT)).toMatchObject({
      priority: word,
      severity,
      cluster: 'host',
      workspace: 'team',
    });
    expect(annotationsOf(one, TEXT)['eventKey']).toBe('01'.repeat(32));
  });
});

describe('times', () => {
  test.each([
    [{ seconds: 1_795_453_067n, nanos: 177_852_000 }, '2026-11-23 16:57:47.177852 +0000 UTC'],
    [{ seconds: 1_795_453_067n, nanos: 100_000_000 }, '2026-11-23 16:57:47.1 +0000 UTC'],
    [{ seconds: 1_795_453_067n, nanos: 7 }, '2026-11-23 16:57:47.000000007 +0000 UTC'],
    [{ seconds: 1_795_453_067n, nanos: 0 }, '2026-11-23 16:57:47 +0000 UTC'],
    [{ seconds: -62_135_596_800n, nanos: 0 }, '0001-01-01 00:00:00 +0000 UTC'],
    [undefined, ''],
  ])('are printed as Go prints them: %p', (at, text) => {
    expect(goTime(at)).toBe(text);
  });

  test('an alert begins with the request, and never after it was raised', () => {
    const at = (seconds: bigint) =>
      startOf(raised({ requestReceivedTimestamp: { seconds, nanos: 0 } }).raised);
    expect(at(1_795_453_067n).toISOString()).toBe('2026-11-23T16:57:47.000Z');
    expect(at(9_999_999_999n).toISOString()).toBe('2026-11-23T17:00:00.000Z');
    expect(at(-62_135_596_800n).toISOString()).toBe('2026-11-23T17:00:00.000Z');
    expect(startOf(raised().raised).toISOString()).toBe('2026-11-23T17:00:00.000Z');
  });

  test('an alert ends some time after it is sent, even with a clock that was set back', () => {
    const alert = firingAlert(raised(), TEXT);
    const endOf = (sentAtMs: number): string => {
      const body = JSON.parse(alertsBody(endingAfter([alert], { sentAtMs, holdMs: 600_000 }))) as {
        endsAt: string;
      }[];
      return body[0]?.endsAt ?? '';
    };
    expect(endOf(Date.parse('2026-11-24T17:00:00Z'))).toBe('2026-11-24T17:10:00.000Z');
    expect(endOf(Date.parse('2026-11-20T17:00:00Z'))).toBe('2026-11-23T17:10:00.000Z');
  });
});

test('texts are cut between two characters', () => {
  expect(cutToBytes('aé€😀', 10)).toBe('aé€😀');
  expect(cutToBytes('aé€😀', 9)).toBe('aé€');
  expect(cutToBytes('aé€😀', 5)).toBe('aé');
  expect(cutToBytes('aé€😀', 2)).toBe('a');
  expect(cutToBytes('€', 2)).toBe('');
});
