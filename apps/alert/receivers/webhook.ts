import type { OpenReceiver } from './receiver';
import { openWebhookPost } from './webhook-post';

/** Any HTTP server that reads the JSON which Alertmanager sends to webhooks. */
export const open: OpenReceiver = (spec, options) =>
  openWebhookPost(spec, options, {
    port: 0,
    path: '/',
  });
