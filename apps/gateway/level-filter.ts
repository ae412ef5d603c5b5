import { Level, Source, Strip } from '@auditing/proto/event';
import type { WebhookSettings } from '@auditing/proto/rule';

/** What the settings of the Webhook resource do to an event before rules see it. */
export type Admission =
  | { readonly kept: false }
  | {
      readonly kept: true;
      /** What is removed from it. */
      readonly strip: Strip;
    };

const LEFT_OUT: Admission = { kept: false };
const WHOLE: Admission = { kept: true, strip: Strip.UNSPECIFIED };
const WITHOUT_RESPONSE: Admission = { kept: true, strip: Strip.RESPONSE };
const WITHOUT_BODIES: Admission = { kept: true, strip: Strip.BODIES };

/**
 * Applies `k8sAuditingEnabled` and `auditLevel` to an event of a source.
 *
 * The level is an upper bound for events of Kube AI Hub only: how much events of Kubernetes hold is said by the
 * policy file of their API server. A level that is not set means Metadata, as documented.
 */
export function admit(source: Source, settings: WebhookSettings): Admission {
  if (source === Source.KUBERNETES) {
    return settings.k8sAuditingEnabled ? WHOLE : LEFT_OUT;
  }
  switch (settings.auditLevel) {
    case Level.NONE:
      return LEFT_OUT;
    case Level.REQUEST_RESPONSE:
      return WHOLE;
    case Level.REQUEST:
      return WITHOUT_RESPONSE;
    case Level.METADATA:
    case Level.UNSPECIFIED:
    case Level.UNRECOGNIZED:
      return WITHOUT_BODIES;
  }
}
