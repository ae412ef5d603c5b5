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

/**
 * Applies `k8sAuditingEnabled` and `auditLevel` to an event of a source.
 *
 * The level is an upper bound for events of Kube AI Hub only: how much events of Kubernetes hold is said by the
 * policy file of their API server. A level that is not set means Metadata, as documented.
 */
export function admit(source: Source, settings: WebhookSettings): Admission {
  if (source === Source.KUBERNETES) {
    return settings.k8sAuditingEnabled ? { kept: true, strip: Strip.UNSPECIFIED } : LEFT_OUT;
  }
  switch (settings.auditLevel) {
    case Level.NONE:
      return LEFT_OUT;
    case Level.REQUEST_RESPONSE:
      return { kept: true, strip: Strip.UNSPECIFIED };
    case Level.REQUEST:
      return { kept: true, strip: Strip.RESPONSE };
    case Level.METADATA:
    case Level.UNSPECIFIED:
    case Level.UNRECOGNIZED:
      return { kept: true, strip: Strip.BODIES };
  }
}
