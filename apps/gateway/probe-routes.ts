import { alertJson } from './alert-json';
import { numberParameter } from './api-parameters';
import type { ApiRoute } from './api-route';
import { PROBE } from './api-schemas';
import { OWN_API } from './own-api';
import { probe, type ProbeHop, type ProbeOptions } from './probe';

const WAIT_MS = numberParameter(
  { name: 'waitMs', description: 'How long to wait for the receivers, in milliseconds.' },
  { fallback: 10_000, min: 1, max: 60_000 },
);

/** A test of the way from this gateway to the receivers. */
export function probeRoutes(options: Omit<ProbeOptions, 'alert'>): readonly ApiRoute[] {
  return [
    {
      method: 'POST',
      path: `${OWN_API}/probe`,
      need: 'all events',
      summary:
        'Sends a marked event from this gateway to every receiver, by spool, rules and alert service, and tells each hop. It is never archived.',
      parameters: [WAIT_MS],
      // It has a time limit of its own.
      isLong: true,
      answerSchema: PROBE,
      async answer({ parameters, services, signal }) {
        const waitMs = WAIT_MS.read(parameters);
        const { hops, alert, ...rest } = await probe(
          { ...options, alert: services.alert },
          waitMs,
          signal,
        );
        return { body: { ...rest, hops: hops.map(hopJson), alert: alert && alertJson(alert) } };
      },
    },
  ];
}

function hopJson({ atMs, ...rest }: ProbeHop): object {
  return { ...rest, at: atMs === undefined ? undefined : new Date(atMs).toISOString() };
}
