import type { ApiRoute } from './api-route';
import { RULES } from './api-schemas';
import { ruleJson } from './event-json';
import { OWN_API } from './own-api';

/** Questions about rules. */
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
];
