import { AuditEvent, Priority } from '@auditing/proto/event';
import type { RaisedAlert } from '@auditing/proto/outbox';
import { sampleAlert } from '../testing/samples';
import { annotationsOf, cutToBytes, labelsOf, startOf } from './alert-text';
import { alertsBody, firingAlert } from './firing-alert';
import { goTime } from './go-time';

function raised(
  fields: Parameters<typeof AuditEvent.fromPartial>[0] = {},
  rule = 'r.Entry',
): RaisedAlert {
  const event = AuditEvent.fromPartial({ key: Buffer.alloc(32, 1), ...fields });
  return {
    id: Buffer.alloc(32),
    alert: { ...sampleAlert('x'), rule, event },
    raisedAtUs: Date.parse('2026-11-23T17:00:00Z') * 1_000,
    deliveries: [],
  };
}

describe('labels', () => {
  test('leave out what the event does not say', () => {
    expect(labelsOf(raised())).toEqual({ alertname: 'Entry', alerttype: 'auditing' });
  });

  test('name the entry, however many dots the resource has', () => {
    expect(labelsOf(raised({}, 'my.team.rules.DeletePod'))).toMatchObject({
      alertname: 'DeletePod',
    });
  });

  test('are valid UTF-8 of bounded length', () => {
    const labels = labelsOf(raised({ user: { username: `\ud800${'é'.repeat(2_000)}` } }));
    const bytes = Buffer.from(labels['user'] ?? '');
    expect(bytes.length).toBeLessThanOrEqual(1_024);
    expect(bytes.length).toBeGreaterThan(1_020);
    expect(labels['user']).toMatch(/^\ufffdé+$/);
  });
});

describe('annotations', () => {
  test.each([
    [Priority.WARNING, 'WARNING', 'warning'],
    [Priority.INFO, 'INFO', 'info'],
    [Priority.DEBUG, 'DEBUG', 'info'],
  ])('say how bad it is: %s', (priority, word, severity) => {
    const one = raised({ cluster: 'host', workspace: 'team' });
    if (one.alert) one.alert.priority = priority;
    expect(annotationsOf(one)).toMatchObject({
      priority: word,
      severity,
      cluster: 'host',
      workspace: 'team',
    });
    expect(annotationsOf(one)['eventKey']).toBe('01'.repeat(32));
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
      startOf(raised({ requestReceivedTimestamp: { seconds, nanos: 0 } }));
    expect(at(1_795_453_067n).toISOString()).toBe('2026-11-23T16:57:47.000Z');
    expect(at(9_999_999_999n).toISOString()).toBe('2026-11-23T17:00:00.000Z');
    expect(at(-62_135_596_800n).toISOString()).toBe('2026-11-23T17:00:00.000Z');
    expect(startOf(raised()).toISOString()).toBe('2026-11-23T17:00:00.000Z');
  });

  test('an alert ends some time after it is sent, even with a clock that was set back', () => {
    const alert = firingAlert(raised());
    const endOf = (sentAtMs: number): string => {
      const body = JSON.parse(alertsBody([alert], { sentAtMs, holdMs: 600_000 })) as {
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
