import { open as openAlertmanager } from './alertmanager';
import { open as openNotificationManager } from './notificationmanager';
import type { OpenReceiver } from './receiver';
import { open as openWebhook } from './webhook';

/** Every type of receiver, by the word that the Webhook resource has for it. */
const TYPES: ReadonlyMap<string, OpenReceiver> = new Map([
  ['alertmanager', openAlertmanager],
  ['webhook', openWebhook],
  ['notificationmanager', openNotificationManager],
]);

/** Opens a receiver. Throws Error, with what to change, if the resource says nonsense. */
export const openReceiver: OpenReceiver = (spec, options) => {
  const open = TYPES.get(spec.type);
  if (open === undefined) {
    const known = [...TYPES.keys()].join(', ');
    throw new Error(
      `receiver ${spec.name}: expected type ${known}, got ${JSON.stringify(spec.type)}`,
    );
  }
  return open(spec, options);
};
