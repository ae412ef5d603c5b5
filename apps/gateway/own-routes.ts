import { ALERT_ROUTES } from './alert-routes';
import type { ApiRoute } from './api-route';
import { ARCHIVE_ROUTES } from './archive-routes';
import { COUNT_ROUTES } from './count-routes';
import { EVENT_ROUTES } from './event-routes';
import { OBJECT_ROUTES } from './object-routes';
import { RULE_ROUTES } from './rule-routes';

/** Our own query API. */
export const OWN_ROUTES: readonly ApiRoute[] = [
  ...EVENT_ROUTES,
  ...OBJECT_ROUTES,
  ...COUNT_ROUTES,
  ...ARCHIVE_ROUTES,
  ...RULE_ROUTES,
  ...ALERT_ROUTES,
];
