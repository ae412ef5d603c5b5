import type { EventFields } from '@auditing/audit-event/event-fields';
import type { Finding, OutputPart, RuleName } from '@auditing/proto/event';
import { defaultText, messageText, shortened, textOfLeaf } from './default-message';
import { readRoot, resolvePath } from './field-source';
import { readPath } from './path-text';
import { collectValues } from './path-walk';

/** The first message of the findings on an event, which are in the order of their priority; empty without one. */
export function firstMessage(
  findings: readonly Finding[],
  rules: readonly (RuleName | undefined)[],
  event: EventFields,
): string {
  for (const finding of findings) {
    const message = messageOfFinding(finding, rules[finding.rule], event);
    if (message !== '') return message;
  }
  return '';
}

/** The message of a finding: what it carries, else what its rule says of the event; empty without either. */
export function messageOfFinding(
  { message }: Pick<Finding, 'message'>,
  rule: RuleName | undefined,
  event: EventFields,
): string {
  if (message !== '' || rule === undefined) return message;
  return rule.output.map((part) => textOfPart(part, event)).join('');
}

function textOfPart({ part }: OutputPart, event: EventFields): string {
  switch (part?.$case) {
    case 'defaultText':
      return defaultText((field) => messageText(event.get(field)));
    case 'text':
      return part.value;
    case 'path':
      return textAt(part.value, event);
    case 'namePart':
      return namePart(messageText(event.get('ObjectRef.Name')), part.value);
    // Of a later version.
    case undefined:
      return '';
  }
}

function textAt(path: string, event: EventFields): string {
  const { root, steps } = resolvePath(readPath(path, 0));
  const value = readRoot(event, root);
  if (steps.length === 0) return messageText(value);
  return shortened(collectValues(value, steps).map(textOfLeaf).join(', '));
}

/** The n-th part of an object's name between colons, from 1; empty if it has fewer. */
export function namePart(name: string, n: number): string {
  return name.split(':')[n - 1] ?? '';
}
