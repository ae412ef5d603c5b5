import type { OpenReceiver } from './receiver';
import { openWebhookPost } from './webhook-post';

/** KubeSphere's Notification Manager, which stands where a webhook of Alertmanager would. */
export const open: OpenReceiver = (spec, options) =>
  openWebhookPost(spec, options, {
    port: 19_093,
    path: '/api/v2/alerts',
  });
