import { AuditEvent } from '@auditing/proto/event';
import { inScope } from './in-scope';

const at = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });
const eventOf = (fields: Parameters<typeof AuditEvent.fromPartial>[0]) =>
  AuditEvent.fromPartial({ requestReceivedTimestamp: at(100), ...fields });

const scope = {
  namespaces: [
    { name: 'shop', since: at(100) },
    { name: '', since: undefined },
  ],
  workspaces: [{ name: 'team', since: undefined }],
};

test.each([
  ['its namespace', { objectRef: { namespace: 'shop' } }, true],
  ['another namespace', { objectRef: { namespace: 'pay' } }, false],
  [
    'a namespace that had the name before',
    { objectRef: { namespace: 'shop' }, requestReceivedTimestamp: at(99) },
    false,
  ],
  ['its workspace', { workspace: 'team', objectRef: { namespace: 'pay' } }, true],
  ['the cluster', { objectRef: { namespace: '' } }, false],
  ['no object', {}, false],
  [
    'no time but that of its receipt',
    {
      objectRef: { namespace: 'shop' },
      requestReceivedTimestamp: undefined,
      receivedAt: at(101),
    },
    true,
  ],
])('an event of %s', (_, fields, expected) => {
  expect(inScope(eventOf(fields), scope)).toBe(expected);
  expect(inScope(eventOf(fields), undefined)).toBe(true);
});
