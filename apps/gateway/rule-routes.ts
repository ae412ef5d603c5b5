import { ListRequest } from '@auditing/proto/alert';
import { numberParameter, textParameter } from './api-parameters';
import type { ApiRoute } from './api-route';
import { ALERTS, RULES } from './api-schemas';
import { alertJson, ruleJson } from './event-json';
import { OWN_API } from './own-api';

const RULE = textParameter({
  name: 'rule',
  description: 'Only alerts of this rule, `<Rule resource>.<entry>`.',
});
const LIMIT = numberParameter(
  { name: 'limit', description: 'Alerts at most.' },
  { fallback: 100, min: 1, max: 1_000 },
);

/** Questions about rules, and the alerts they raised. */
export const RULE_ROUTES: readonly ApiRoute[] = [
  {
    path: `${OWN_API}/rules`,
    need: 'rules',
    summary: 'The rules in force, and what is wrong with those that are not.',
    parameters: [],
    answerSchema: RULES,
    async answer({ services, signal }) {
      const { rules } = await services.rule.listRules({}, signal);
      return { body: { rules: rules.map(ruleJson) } };
    },
  },
  {
    path: `${OWN_API}/alerts`,
    need: 'events',
    summary:
      'The newest alerts and how they fare. Who sees some events only sees their alerts, so there may be fewer than asked for.',
    parameters: [RULE, LIMIT],
    answerSchema: ALERTS,
    async answer({ parameters, services, signal }) {
      const [rule, limit] = [RULE.read(parameters), LIMIT.read(parameters)];
      const request = ListRequest.fromPartial({ rule, limit });
      const { alerts } = await services.alert.list(request, signal);
      return { body: { alerts: alerts.map(alertJson) } };
    },
  },
];
