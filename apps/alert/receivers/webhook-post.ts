import type { Receiver as ReceiverSpec } from '@auditing/proto/rule';
import { accessOf } from './access';
import { addressesOf, type AddressDefaults } from './address';
import type { TextOptions } from './alert-text';
import { openEndpoint, type Message } from './endpoint';
import { fingerprintOf } from './fingerprint';
import { firingAlert } from './firing-alert';
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
  const { caBundle } = spec;
  const access = accessOf(spec, options.secretsDir);
  const endpoint = openEndpoint({
    url,
    caBundle,
    access,
    blocked: options.blocked,
    connections: CONNECTIONS,
    tryTimeoutMs: options.tryTimeoutMs,
  });
  const path = `${url.pathname}${url.search}`;
  return {
    batchMax: 1,
    concurrency: CONNECTIONS,
    send: ([outgoing], signal) =>
      outgoing === undefined
        ? Promise.resolve({ kind: 'taken', by: endpoint.name })
        : endpoint.post(path, messageOf(outgoing, spec.name, options.text), signal),
    test: {
      places: () => Promise.resolve([{ url }]),
      access,
      caBundle,
      pathAt: () => path,
      messageOf: (outgoing) => messageOf(outgoing, spec.name, options.text),
      seenPathAt: undefined,
    },
    close: () => endpoint.close(),
  };
}

function messageOf(outgoing: Outgoing, receiver: string, options: TextOptions): Message {
  return {
    headers: { [DELIVERY_ID_HEADER]: outgoing.deliveryId },
    body: JSON.stringify(notificationOf(outgoing, receiver, options)),
  };
}

/** Version 4 of Alertmanager's webhook JSON, for a group of one alert. */
function notificationOf(outgoing: Outgoing, receiver: string, options: TextOptions): object {
  const { labels, annotations, startsAt, generatorURL = '' } = firingAlert(outgoing, options);
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
    externalURL: options.externalUrl,
    alerts: [
      {
        status: 'firing',
        labels,
        annotations,
        startsAt,
        endsAt: NO_TIME,
        generatorURL,
        fingerprint: fingerprintOf(labels),
      },
    ],
  };
}
