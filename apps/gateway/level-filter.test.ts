import { Level, Source, Strip } from '@auditing/proto/event';
import { WebhookSettings } from '@auditing/proto/rule';
import { admit } from './level-filter';

const LEFT_OUT = { kept: false };
const kept = (strip: Strip) => ({ kept: true, strip });

describe('events of Kube AI Hub', () => {
  test.each([
    ['None', Level.NONE, LEFT_OUT],
    ['Metadata', Level.METADATA, kept(Strip.BODIES)],
    ['Request', Level.REQUEST, kept(Strip.RESPONSE)],
    ['RequestResponse', Level.REQUEST_RESPONSE, kept(Strip.UNSPECIFIED)],
    ['no level, which is Metadata', Level.UNSPECIFIED, kept(Strip.BODIES)],
    ['a level of a newer release, which is Metadata', Level.UNRECOGNIZED, kept(Strip.BODIES)],
  ])('at %s', (_, auditLevel, expected) => {
    for (const k8sAuditingEnabled of [true, false]) {
      const settings = WebhookSettings.create({ auditLevel, k8sAuditingEnabled });
      expect(admit(Source.KUBE_AI_HUB, settings)).toEqual(expected);
    }
  });
});

describe('events of Kubernetes', () => {
  test.each([Level.NONE, Level.METADATA, Level.REQUEST, Level.REQUEST_RESPONSE])(
    'are kept whole at level %i if they are switched on, and left out if not',
    (auditLevel) => {
      const on = WebhookSettings.create({ auditLevel, k8sAuditingEnabled: true });
      expect(admit(Source.KUBERNETES, on)).toEqual(kept(Strip.UNSPECIFIED));
      const off = WebhookSettings.create({ auditLevel, k8sAuditingEnabled: false });
      expect(admit(Source.KUBERNETES, off)).toEqual(LEFT_OUT);
    },
  );
});
