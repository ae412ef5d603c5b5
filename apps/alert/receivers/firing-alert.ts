import type { RaisedAlert } from '@auditing/proto/outbox';
import { annotationsOf, labelsOf, startOf, type Texts } from './alert-text';

/** An alert as Alertmanager takes it, but for its end. */
export interface FiringAlert {
  readonly labels: Texts;
  readonly annotations: Texts;
  /** RFC 3339. The same at each try, so that Alertmanager sees one alert and not several one after the other. */
  readonly startsAt: string;
}

/** The alert, in Alertmanager's words. */
export function firingAlert(raised: RaisedAlert): FiringAlert {
  return {
    labels: labelsOf(raised),
    annotations: annotationsOf(raised),
    startsAt: startOf(raised).toISOString(),
  };
}

/**
 * The body of a request. The end is counted from the moment of sending: counted from the event, an alert that
 * was delayed by an outage would arrive as one that is over, and nobody would be told.
 */
export function alertsBody(
  alerts: readonly FiringAlert[],
  { sentAtMs, holdMs }: { readonly sentAtMs: number; readonly holdMs: number },
): string {
  return JSON.stringify(
    alerts.map((alert) => {
      // A clock that was set back must not put the end before the start, which is a refusal.
      const from = Math.max(sentAtMs, Date.parse(alert.startsAt));
      return { ...alert, endsAt: new Date(from + holdMs).toISOString() };
    }),
  );
}
