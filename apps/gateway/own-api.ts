/** Where our own API begins. */
export const OWN_API = '/apis/query.auditing.kubesphere.io/v1alpha1';
