import { SETTINGS as ALERT } from '@auditing/alert/config';
import { SETTINGS as ARCHIVE } from '@auditing/archive/config';
import { PROCESS_SETTINGS as GATEWAY } from '@auditing/gateway/config';
import { SETTINGS as OPERATOR } from '@auditing/operator/config';
import { SETTINGS as RULE } from '@auditing/rule/config';
import { flatSettings } from '@auditing/service/settings';
import { runtimeSettings } from '@auditing/service/start';
import { VARIABLES } from '@auditing/service/variables';

test('every app knows the variables of all', () => {
  const all = flatSettings([ALERT, ARCHIVE, GATEWAY, OPERATOR, RULE, runtimeSettings(0)]);
  expect([...VARIABLES]).toEqual(all.map(({ variable }) => variable).sort());
});
