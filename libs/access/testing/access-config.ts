import { readSettings } from '@auditing/service/settings';
import { ACCESS_SETTINGS, type AccessConfig } from '../access-settings';

/** The default settings, but for these. */
export function accessConfig(changes: Partial<AccessConfig>): AccessConfig {
  return { ...readSettings(ACCESS_SETTINGS, {}), ...changes };
}
