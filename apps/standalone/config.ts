import { SETTINGS as ALERT_SETTINGS } from '@auditing/alert/config';
import { SETTINGS as ARCHIVE_SETTINGS } from '@auditing/archive/config';
import { SETTINGS as GATEWAY_SETTINGS } from '@auditing/gateway/config';
import { SETTINGS as RULE_SETTINGS } from '@auditing/rule/config';
import type { ConfigOf } from '@auditing/service/settings';

/**
 * The settings of all four apps. A variable that several share is read once: AUDITING_GRPC_LISTEN has the rule
 * service's default, and all services are served there.
 */
export const SETTINGS = {
  rule: RULE_SETTINGS,
  archive: ARCHIVE_SETTINGS,
  alert: ALERT_SETTINGS,
  gateway: GATEWAY_SETTINGS,
} as const;

export type StandaloneConfig = ConfigOf<typeof SETTINGS>;
