import { Field } from '@auditing/proto/event';

/** Longest value, in UTF-16 units, that can be asked for: three bytes each still fit into a term of Lucene (32,766 bytes). */
export const VALUE_MAX_LENGTH = 8_191;

const PATHS: ReadonlyMap<Field, string> = new Map([
  [Field.SOURCE, 'Kept.Source'],
  [Field.LEVEL, 'Level.keyword'],
  [Field.STAGE, 'Stage.keyword'],
  [Field.VERB, 'Verb.keyword'],
  [Field.USER, 'User.Username.keyword'],
  // Lists of their own: KubeSphere's document has them joined by commas, which loses where an element ends.
  [Field.GROUPS, 'Kept.Groups'],
  [Field.IMPERSONATED_USER, 'ImpersonatedUser.Username.keyword'],
  [Field.SOURCE_IPS, 'Kept.SourceIPs'],
  [Field.USER_AGENT, 'UserAgent.keyword'],
  [Field.NAMESPACE, 'ObjectRef.Namespace.keyword'],
  [Field.RESOURCE, 'ObjectRef.Resource.keyword'],
  [Field.SUBRESOURCE, 'ObjectRef.Subresource.keyword'],
  [Field.NAME, 'ObjectRef.Name.keyword'],
  [Field.API_GROUP, 'ObjectRef.APIGroup.keyword'],
  [Field.API_VERSION, 'ObjectRef.APIVersion.keyword'],
  [Field.CODE, 'ResponseStatus.code.keyword'],
  [Field.STATUS, 'ResponseStatus.status.keyword'],
  [Field.REASON, 'ResponseStatus.reason.keyword'],
  [Field.REQUEST_URI, 'RequestURI.keyword'],
  [Field.WORKSPACE, 'Workspace.keyword'],
  [Field.CLUSTER, 'Cluster.keyword'],
  [Field.DEVOPS, 'Devops.keyword'],
  [Field.AUDIT_ID, 'AuditID.keyword'],
  [Field.RULE, 'Kept.Rules'],
  [Field.PRIORITY, 'Kept.Priority'],
]);

/** Where the whole value of a field is indexed in the document. */
export function pathOf(field: Field): string {
  const path = PATHS.get(field);
  if (path === undefined)
    throw new RangeError(`field ${Field[field]} has no place in the document`);
  return path;
}
