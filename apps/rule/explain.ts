import { decodeEvent, type DecodedEvent } from '@auditing/audit-event/decoded-event';
import { Source } from '@auditing/proto/event';
import type { ExplainRequest, ExplainResponse } from '@auditing/proto/rule';
import type { RuleSet } from '@auditing/rule-engine/rule-set';
import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';

/** The names that an answer lists of the rules there are. */
const MAX_NAMES = 20;

/**
 * Says why a rule matches an event, or does not.
 *
 * @throws RpcError INVALID_ARGUMENT if the event cannot be read, NOT_FOUND if the rule is not there or is left out
 */
export function explain(ruleSet: RuleSet, request: ExplainRequest): ExplainResponse {
  const event = readEvent(request.event);
  const rules = ruleSet.rules();
  const rule = rules.find(({ name }) => name === request.rule);
  if (!rule) {
    const names = rules.slice(0, MAX_NAMES).map(({ name }) => name);
    const more = rules.length > MAX_NAMES ? ` and ${rules.length - MAX_NAMES} more` : '';
    throw new RpcError(
      status.NOT_FOUND,
      `rule: expected one of ${names.join(', ')}${more}, got "${request.rule}"`,
    );
  }
  const explanation = ruleSet.explain(rule.name, event);
  if (!explanation) {
    const reasons = rule.diagnostics.map(({ message }) => message).join('; ');
    throw new RpcError(status.NOT_FOUND, `rule: ${rule.name} is left out: ${reasons}`);
  }
  return { explanation, active: rule.active };
}

function readEvent(bytes: Buffer): DecodedEvent {
  try {
    return decodeEvent(bytes, Source.UNSPECIFIED);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RpcError(status.INVALID_ARGUMENT, `event: ${reason}`, { cause: error });
  }
}
