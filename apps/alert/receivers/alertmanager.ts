import type { Receiver as ReceiverSpec } from '@auditing/proto/rule';
import { accessOf } from './access';
import { addressesOf } from './address';
import { alertsBody, firingAlert } from './firing-alert';
import { basePathOf, instanceSet } from './instance-set';
import type { OpenReceiver } from './receiver';

/** Some hundred kilobytes: far below the limits of proxies, and enough for thousands of alerts a second. */
const BATCH_MAX = 64;

/** A test alert is shown for so long. */
const TEST_HOLD_MS = 60_000;

/** Where KubeSphere's own Alertmanager is: meant by a receiver that has neither url nor Service. */
const KUBESPHERE_ALERTMANAGER = 'http://alertmanager-main.kubesphere-monitoring-system.svc:9093';

/** Alertmanager, API v2: every alert goes to every instance. */
export const open: OpenReceiver = (spec, options) => {
  const { name, caBundle } = spec;
  // Alertmanager checks no signature.
  const access = accessOf({ ...spec, signingKey: undefined }, options.secretsDir);
  const instances = instanceSet(baseUrlsOf(spec), { ...options, name, caBundle, access });
  return {
    batchMax: BATCH_MAX,
    // One after the other, so that what is urgent never waits behind several large requests.
    concurrency: 1,
    send: (batch, signal) =>
      instances.post(
        batch.map((one) => firingAlert(one, options.text)),
        signal,
      ),
    instances: () => instances.status(),
    keeping: {
      holdMs: options.holdMs,
      lacking: (signal) => instances.lacking(signal),
      resend: (alerts, instance, signal) =>
        instances.resend(
          alerts.map(({ outgoing, endsAtMs }) => ({
            alert: firingAlert(outgoing, options.text),
            endsAtMs,
          })),
          instance,
          signal,
        ),
      shown: (filter, signal) => instances.shown(filter, signal),
      silences: (signal) => instances.silences(signal),
    },
    test: {
      places: (signal) => instances.places(signal),
      access,
      caBundle,
      pathAt: ({ url }) => `${basePathOf(url)}/api/v2/alerts`,
      messageOf: (outgoing) => ({
        body: alertsBody([
          { alert: firingAlert(outgoing, options.text), endsAtMs: Date.now() + TEST_HOLD_MS },
        ]),
      }),
      seenPathAt: ({ url }, marker) =>
        `${basePathOf(url)}/api/v2/alerts?filter=${encodeURIComponent(`name="${marker}"`)}`,
    },
    close: () => instances.close(),
  };
};

/** Addresses without the path of the API, which some resources spell out; a prefix before it stays. */
function baseUrlsOf(spec: ReceiverSpec): readonly URL[] {
  const urls = addressesOf(spec, {
    port: 9_093,
    path: '',
    several: true,
    fallbackUrl: KUBESPHERE_ALERTMANAGER,
  });
  for (const url of urls) url.pathname = url.pathname.replace(/(\/api\/v[12]\/alerts)?\/*$/, '');
  return urls;
}
