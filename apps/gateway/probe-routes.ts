import { alertJson } from './alert-json';
import { ApiError } from './api-error';
import { numberParameter } from './api-parameters';
import type { ApiRoute } from './api-route';
import { PROBE } from './api-schemas';
import { OWN_API } from './own-api';
import { probe, type ProbeHop, type ProbeOptions } from './probe';

const WAIT_MS = numberParameter(
  { name: 'waitMs', description: 'How long to wait for the receivers, in milliseconds.' },
  { fallback: 10_000, min: 1, max: 60_000 },
);

/** How often a probe may begin: each is a batch and a request to every receiver of its own, and people may be told of it. */
const PROBE_EVERY_MS = 1_000;

/**
 * A test of the way from this gateway to the receivers.
 *
 * @param nowMs a clock that never goes back
 */
export function probeRoutes(
  options: Omit<ProbeOptions, 'alert'>,
  nowMs = () => performance.now(),
): readonly ApiRoute[] {
  let lastAtMs = -Infinity;
  const begin = (): void => {
    if (nowMs() - lastAtMs < PROBE_EVERY_MS) {
      throw new ApiError(429, 'a probe began less than a second ago at this gateway; ask again');
    }
    lastAtMs = nowMs();
  };
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
        begin();
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
