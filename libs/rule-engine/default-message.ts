import type { EventField, JsonValue } from '@auditing/audit-event/event-fields';
import { isJsonObject } from '@auditing/audit-event/field-keys';
import { textOfValue } from './text-value';

/** Longest value that a message shows, in UTF-16 units: messages become labels of alerts, and bodies can be huge. */
const MAX_VALUE_LENGTH = 1_024;

/** What the message of a rule without an output reads. */
export const DEFAULT_FIELDS = [
  'User.username',
  'Verb',
  'ObjectRef.Resource',
  'ObjectRef.Name',
  'ObjectRef.Namespace',
  'Workspace',
  'Devops',
] as const satisfies readonly EventField[];

/** One of them. */
export type DefaultField = (typeof DEFAULT_FIELDS)[number];

/** Resources that belong to a workspace itself, in the default text. */
const WORKSPACE_RESOURCES: ReadonlySet<string> = new Set([
  'devops',
  'namespaces',
  'federatednamespaces',
  'workspaceroles',
  'federatedworkspaceroles',
  'workspacemembers',
]);

/** The message of an alerting rule without an output, out of the texts of fields: who did what to which object. Never empty. */
export function defaultText(text: (field: DefaultField) => string): string {
  const kind = text('ObjectRef.Resource');
  const what = `${text('User.username')} ${text('Verb')} ${kind} '${text('ObjectRef.Name')}'`;
  const workspace = text('Workspace');
  if (workspace !== '' && WORKSPACE_RESOURCES.has(kind)) return `${what} in Workspace ${workspace}`;
  const devops = text('Devops');
  if (devops !== '') return `${what} in Devops ${devops}`;
  const namespace = text('ObjectRef.Namespace');
  const isNamespace = kind === 'namespaces' || kind === 'federatednamespaces';
  if (namespace !== '' && !isNamespace) return `${what} in Namespace ${namespace}`;
  return what;
}

/** A value as a message shows it. */
export function messageText(value: JsonValue | undefined): string {
  return shortened(textOfLeaf(value));
}

/** An object has no text of its own, as in the original, which sees nothing but its leaves. */
export function textOfLeaf(value: JsonValue | undefined): string {
  return value === undefined || value === null || isJsonObject(value) ? '' : textOfValue(value);
}

/** A text that is not too long for a message. */
export function shortened(text: string): string {
  if (text.length <= MAX_VALUE_LENGTH) return text;
  // Half of a character is none.
  const isHalf = /[\ud800-\udbff]/.test(text.charAt(MAX_VALUE_LENGTH - 1));
  return `${text.slice(0, isHalf ? MAX_VALUE_LENGTH - 1 : MAX_VALUE_LENGTH)}…`;
}
