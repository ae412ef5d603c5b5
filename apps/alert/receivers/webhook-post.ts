import type { Receiver as ReceiverSpec } from '@auditing/proto/rule';
import { addressesOf, type AddressDefaults } from './address';
import { annotationsOf, labelsOf, startOf } from './alert-text';
import { openEndpoint } from './endpoint';
import { fingerprintOf } from './fingerprint';
import type { Outgoing, Receiver, ReceiverOptions } from './receiver';

/** As many connections as KubeSphere's own sender uses to one host. */
const CONNECTIONS = 8;
/** What Go prints for "no time": the alert has not ended. */
const NO_TIME = '0001-01-01T00:00:00Z';
/** Names the delivery: a receiver that may not act twice drops what it has seen. */
const DELIVERY_ID_HEADER = 'auditing-delivery-id';

/** Opens a receiver that gets one alert a request, as the JSON that Alertmanager sends to webhooks. */
export function openWebhookPost(
  spec: ReceiverSpec,
  options: ReceiverOptions,
  defaults: AddressDefaults,
): Receiver {
  const [url] = addressesOf(spec, defaults);
  if (url === undefined) throw new Error(`receiver ${spec.name}: no address`);
  const endpoint = openEndpoint({
    url,
    caBundle: spec.caBundle,
    connections: CONNECTIONS,
    tryTimeoutMs: options.tryTimeoutMs,
  });
  const path = `${url.pathname}${url.search}`;
  return {
    batchMax: 1,
    concurrency: CONNECTIONS,
    send: ([outgoing], signal) =>
      outgoing === undefined
        ? Promise.resolve({ kind: 'taken' })
        : endpoint.post(path, messageOf(outgoing, spec.name), signal),
    close: () => endpoint.close(),
  };
}

function messageOf({ raised, deliveryId }: Outgoing, receiver: string) {
  return {
    headers: { [DELIVERY_ID_HEADER]: deliveryId },
    body: JSON.stringify(notificationOf(raised, receiver)),
  };
}

/** Version 4 of Alertmanager's webhook JSON, for a group of one alert. */
function notificationOf(raised: Outgoing['raised'], receiver: string): object {
  const labels = labelsOf(raised);
  const annotations = annotationsOf(raised);
  const alertname = labels['alertname'] ?? '';
  return {
    version: '4',
    groupKey: `{}:{alertname=${JSON.stringify(alertname)}}`,
    truncatedAlerts: 0,
    status: 'firing',
    receiver,
    groupLabels: { alertname },
    commonLabels: labels,
    commonAnnotations: annotations,
    externalURL: '',
    alerts: [
      {
        status: 'firing',
        labels,
        annotations,
        startsAt: startOf(raised).toISOString(),
        endsAt: NO_TIME,
        generatorURL: '',
        fingerprint: fingerprintOf(labels),
      },
    ],
  };
}
