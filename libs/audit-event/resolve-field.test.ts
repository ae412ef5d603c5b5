import { EVENT_FIELDS } from './event-fields';
import { resolveField, suggestField } from './resolve-field';

test('every field is found by its own name and in lower case', () => {
  for (const field of EVENT_FIELDS) {
    expect(resolveField(field.split('.'))).toEqual({ field, rest: [] });
    expect(resolveField(field.toLowerCase().split('.'))).toEqual({ field, rest: [] });
  }
});

test.each([
  ['User.Username', { field: 'User.username', rest: [] }],
  ['objectRef.resource', { field: 'ObjectRef.Resource', rest: [] }],
  ['objectRef.apiGroup', { field: 'ObjectRef.APIGroup', rest: [] }],
  ['impersonatedUser', { field: 'ImpersonatedUser', rest: [] }],
  ['auditID', { field: 'AuditID', rest: [] }],
  ['ResponseStatus.Status', { field: 'ResponseStatus.status', rest: [] }],
  ['ResponseStatus.details.Name', { field: 'ResponseStatus', rest: ['details', 'Name'] }],
  ['requestObject.spec.hostNetwork', { field: 'RequestObject', rest: ['spec', 'hostNetwork'] }],
  ['RequestObject.Level', { field: 'RequestObject', rest: ['Level'] }],
  ['user.extra.Scopes', { field: 'User.extra', rest: ['Scopes'] }],
  ['Annotations.A', { field: 'Annotations', rest: ['A'] }],
  ['constructor.x', { other: 'constructor', rest: ['x'] }],
  ['Custom', { other: 'Custom', rest: [] }],
])('%s names the right field', (path, resolved) => {
  expect(resolveField(path.split('.'))).toEqual(resolved);
});

test.each([
  ['ObjectRef.Namespce', 'ObjectRef.Namespace'],
  ['namespace', 'ObjectRef.Namespace'],
  ['username', 'User.username'],
  ['Verbs', 'Verb'],
  ['Vreb', 'Verb'],
  ['evrb', 'Verb'],
  ['Veb', 'Verb'],
  ['ObjectRef.Nmae', 'ObjectRef.Name'],
  ['SourceIP', 'SourceIPs'],
  ['responseStatus.cod', 'ResponseStatus.code'],
  ['x', undefined],
  ['completely-different', undefined],
])('%s suggests %s', (name, suggestion) => {
  expect(suggestField(name)).toBe(suggestion);
});
