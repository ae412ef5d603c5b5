import { AlertKind, type Alert } from '@auditing/proto/alert';
import { AuditEvent } from '@auditing/proto/event';
import { RaisedAlert } from '@auditing/proto/outbox';
import { DeliveryState } from '@auditing/proto/alert';
import { deliveryId } from './alert-ids';
import { summaryOf, untold } from './group';
import { OutboxState } from './outbox-state';
import { sampleAlert } from './testing/samples';

const WINDOW_MS = 300_000;
const START_MS = 1_800_000_000_000;

function raised(number: number, fields: Partial<RaisedAlert> = {}): RaisedAlert {
  const alert: Alert = sampleAlert('web');
  const event = AuditEvent.fromPartial({ ...alert.event, auditId: `audit-${number}` });
  const id = Buffer.alloc(32, number);
  return RaisedAlert.fromPartial({
    id,
    alert: { ...alert, event },
    raisedAtUs: START_MS * 1_000,
    deliveries: [{ receiver: 'a', id: deliveryId(id, 'a'), digested: false }],
    kind: AlertKind.FIRST,
    ...fields,
  });
}

test('an alert that joins its group while that is closed is told all the same', () => {
  const rate = { perMinute: 0, burst: 1 };
  const state = new OutboxState({ groupWindowMs: WINDOW_MS, rate });
  const first = state.add(1, raised(1));
  const [delivery] = first.deliveries;
  state.end(delivery!, {
    ...{ state: DeliveryState.DELIVERED, lastError: '', endedAtMs: START_MS, acceptedBy: 'a' },
    ...{ attemptCount: 1, revision: 0, silencedBy: [] },
  });
  // Its place was planned while the group was open; it is on disk after a quiet window has ended that.
  const endMs = START_MS + WINDOW_MS;
  for (const group of state.groups.due(endMs)) state.groups.turn(group, endMs);
  expect(state.groups.size).toBe(0);
  const repeat = { kind: AlertKind.REPEAT, group: Buffer.alloc(32, 1), deliveries: [] };
  const late = state.add(2, raised(2, { ...repeat, raisedAtUs: endMs * 1_000 }));
  const [group] = state.groups.due(endMs);
  expect(group).toBeDefined();
  expect(late.group).toBe(group);
  expect(untold(group!)).toEqual(['a']);
  expect(summaryOf(group!, raised(1).alert)).toMatchObject({
    count: 2,
    auditIds: ['audit-1', 'audit-2'],
  });
  // Nothing more joins it: the next alert is news.
  expect(state.groups.find(raised(3).alert!)).toBeUndefined();
});
