import { SETTINGS } from '@auditing/operator/config';
import { gatewayPod, wishesOf } from '@auditing/operator/gateway-pod';
import { readSettings } from '@auditing/service/settings';
import type { PodTemplate } from './workloads';

/** Pods as the operator makes them, so that they are in no overlay: of the shipped Webhook, and of another one. */
export const GATEWAYS: readonly PodTemplate[] = [
  gateway('kube-auditing-webhook'),
  gateway('audit', 9443),
];

function gateway(name: string, port?: number): PodTemplate {
  const config = readSettings(SETTINGS, {});
  const wishes = wishesOf(name, port === undefined ? {} : { port }, config);
  return gatewayPod(wishes, { config, senderUrl: '' }) as PodTemplate;
}
