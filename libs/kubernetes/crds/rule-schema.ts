import { z } from 'zod';
import { CONDITIONS } from './condition-schema';

const ENTRY = z
  .looseObject({
    name: z
      .string()
      .optional()
      .describe(
        'Unique inside this resource. Findings, alerts and other Rules call the entry `<Rule>.<name>`.',
      ),
    type: z.string().optional().describe('One of rule, macro, list, alias.'),
    desc: z.string().optional().describe('What the entry is for, in words.'),
    condition: z
      .string()
      .optional()
      .describe(
        'Of a rule: what an event must fulfil to match, such as `Verb = "delete" and ${pod}`. The language is described in docs/rule-language.md.',
      ),
    macro: z
      .string()
      .optional()
      .describe('Of a macro: the condition that `${name}` stands for in other conditions.'),
    list: z
      .array(z.string())
      .optional()
      .describe('Of a list: the texts that `in ${name}` looks among.'),
    alias: z
      .string()
      .optional()
      .describe('Of an alias: the field that `${name}` stands for, such as ObjectRef.Name.'),
    enable: z.boolean().optional().describe('Of a rule: whether it is evaluated. Absent is false.'),
    output: z
      .string()
      .optional()
      .describe(
        'Of a rule: the message of its alerts, with fields and aliases as `${name}`. Empty: who did what to what.',
      ),
    priority: z
      .string()
      .optional()
      .describe(
        'Of a rule: DEBUG, INFO or WARNING. The thresholds of the Webhook compare it. Anything else ranks below DEBUG.',
      ),
  })
  .describe('One entry: a rule, or something that rules refer to.');

/** Spec of a Rule resource: of both generations. */
export const RULE_SPEC = z
  .looseObject({
    rules: z.array(ENTRY).optional().describe('The entries.'),
  })
  .describe('Rules, and the macros, lists and aliases that they use.');

/** Status of a Rule resource. Old API servers leave null where server-side apply removes a field. */
const RULE_STATUS = z
  .object({
    observedGeneration: z.int().optional().describe('metadata.generation that this speaks of.'),
    ruleCount: z.int().optional().describe('Entries of type rule.'),
    activeRuleCount: z
      .int()
      .optional()
      .describe(
        'Of these, the ones that are evaluated: enabled, well-formed, picked by a selector.',
      ),
    errorCount: z.int().optional().describe('Entries that are left out because of an error.'),
    lastError: z
      .object({
        path: z.string().describe('Where in this resource, such as spec.rules[3].condition.'),
        line: z.int().describe('Line in the text at the path, from 1; 0 where there is none.'),
        column: z.int().describe('Column in that line, from 1; 0 where there is none.'),
        message: z.string().describe('What was expected, what came, what to do.'),
      })
      .nullish()
      .describe('The first error, with its place.'),
    warnings: z
      .array(z.string())
      .nullish()
      .describe('What is in force but hardly does what was meant.'),
    conditions: CONDITIONS.optional().describe(
      'Ready: whether every entry is in force. What is left out keeps nothing else from working.',
    ),
  })
  .describe('What the rule service made of it.');

/** The Rule resource. */
export const RULE = z
  .object({ spec: RULE_SPEC.optional(), status: RULE_STATUS.optional() })
  .describe(
    'Says of audit events which are archived and which raise alerts. Its labels decide what a match does: the selectors of the Webhook resource pick archiving and alerting Rules by them.',
  );

/** Status of a Rule resource, as the rule service writes it. */
export type RuleStatusFields = z.infer<typeof RULE_STATUS>;
