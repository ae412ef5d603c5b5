import {
  annotationsOf,
  labelsOf,
  linkOf,
  startOf,
  type TextOptions,
  type Texts,
} from './alert-text';
import type { Outgoing } from './receiver';

/** An alert as Alertmanager takes it, but for its end. */
export interface FiringAlert {
  readonly labels: Texts;
  readonly annotations: Texts;
  /** RFC 3339. The same at each try, so that Alertmanager sees one alert and not several one after the other. */
  readonly startsAt: string;
  readonly generatorURL?: string;
}

/** An alert with the moment at which it ends, or ended. */
export interface EndingAlert {
  readonly alert: FiringAlert;
  readonly endsAtMs: number;
}

/** The alert, in Alertmanager's words. */
export function firingAlert(outgoing: Outgoing, options: TextOptions): FiringAlert {
  const generatorURL = linkOf(outgoing, options);
  return {
    labels: labelsOf(outgoing, options),
    annotations: annotationsOf(outgoing, options),
    startsAt: startOf(outgoing.raised).toISOString(),
    ...(generatorURL !== '' && { generatorURL }),
  };
}

/**
 * Alerts that are sent now. The end is counted from the moment of sending: counted from the event, an alert that
 * was delayed by an outage would arrive as one that is over, and nobody would be told.
 */
export function endingAfter(
  alerts: readonly FiringAlert[],
  { sentAtMs, holdMs }: { readonly sentAtMs: number; readonly holdMs: number },
): EndingAlert[] {
  return alerts.map((alert) => {
    // A clock that was set back must not put the end before the start, which is a refusal.
    return { alert, endsAtMs: Math.max(sentAtMs, Date.parse(alert.startsAt)) + holdMs };
  });
}

/** The body of a request. */
export function alertsBody(alerts: readonly EndingAlert[]): string {
  return JSON.stringify(
    alerts.map(({ alert, endsAtMs }) => {
      // An end before the start is a refusal.
      const endsAt = new Date(Math.max(endsAtMs, Date.parse(alert.startsAt)));
      return { ...alert, endsAt: endsAt.toISOString() };
    }),
  );
}
