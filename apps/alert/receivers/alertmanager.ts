import type { Receiver as ReceiverSpec } from '@auditing/proto/rule';
import { addressesOf } from './address';
import { firingAlert } from './firing-alert';
import { instanceSet } from './instance-set';
import type { OpenReceiver } from './receiver';

/** Some hundred kilobytes: far below the limits of proxies, and enough for thousands of alerts a second. */
const BATCH_MAX = 64;

/** Where KubeSphere's own Alertmanager is: meant by a receiver that has neither url nor Service. */
const KUBESPHERE_ALERTMANAGER = 'http://alertmanager-main.kubesphere-monitoring-system.svc:9093';

/** Alertmanager, API v2: every alert goes to every instance. */
export const open: OpenReceiver = (spec, options) => {
  const { name, caBundle } = spec;
  const instances = instanceSet(baseUrlsOf(spec), { ...options, name, caBundle });
  return {
    batchMax: BATCH_MAX,
    // One after the other, so that what is urgent never waits behind several large requests.
    concurrency: 1,
    send: (batch, signal) =>
      instances.post(
        batch.map(({ raised }) => firingAlert(raised)),
        signal,
      ),
    close: () => instances.close(),
  };
};

/** Addresses without the path of the API, which some resources spell out; a prefix before it stays. */
function baseUrlsOf(spec: ReceiverSpec): readonly URL[] {
  const urls = addressesOf(spec, {
    port: 9_093,
    path: '',
    scheme: 'http',
    several: true,
    fallbackUrl: KUBESPHERE_ALERTMANAGER,
  });
  for (const url of urls) url.pathname = url.pathname.replace(/(\/api\/v[12]\/alerts)?\/*$/, '');
  return urls;
}
