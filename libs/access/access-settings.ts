import type { ConfigOf } from '@auditing/service/settings';
import {
  choice,
  optional,
  path,
  secret,
  text,
  type Parser,
} from '@auditing/service/setting-parsers';

/** Names of certificates, separated by commas. One that stands for many is none: it would let others in. */
const certificateNames: Parser<readonly string[]> = {
  expected: 'names of certificates separated by commas, each whole, without *',
  unit: 'list',
  parse(value) {
    const names = value.split(',').map((name) => name.trim());
    if (!names.every((name) => /^[^\s*]+$/.test(name))) throw new TypeError();
    return names;
  },
};

/** An API group, or `core`. */
const apiGroup: Parser<string> = {
  ...text,
  expected: 'an API group such as query.auditing.kubesphere.io, or core',
  parse(value) {
    if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(value)) throw new TypeError();
    return value === 'core' ? '' : value;
  },
};

/** Settings of who may call and ask; the same in every app. */
export const ACCESS_SETTINGS = {
  mode: {
    variable: 'AUDITING_ACCESS',
    parser: choice('token', 'kubernetes'),
    fallback: 'token',
    description:
      'Who may ask: whoever has `AUDITING_API_TOKEN`, or whom the Kubernetes API server knows (TokenReview) and allows (SubjectAccessReview).',
  },
  token: {
    variable: 'AUDITING_API_TOKEN',
    parser: optional(secret),
    fallback: '',
    description:
      'Whoever asks, over HTTP or gRPC, must send `Authorization: Bearer` with this token. Empty: none, and only this machine is answered.',
  },
  eventsGroup: {
    variable: 'AUDITING_ACCESS_EVENTS_GROUP',
    parser: apiGroup,
    fallback: 'core',
    description:
      'With `kubernetes`: API group of the resource `events` that a caller must be allowed to list to see audit events. `core` is what KubeSphere asks for.',
  },
  kubeconfig: {
    variable: 'AUDITING_KUBECONFIG',
    parser: optional(path),
    fallback: '',
    description:
      'Kubeconfig of the Kubernetes API server. Empty: that of the cluster this runs in, by its service account.',
  },
  gatewayNames: {
    variable: 'AUDITING_GRPC_GATEWAY_NAMES',
    parser: certificateNames,
    fallback: 'auditing-gateway',
    description:
      "Names, common or alternative, of the gateway's client certificate: who shows one of them may append, raise and evaluate.",
  },
  alertNames: {
    variable: 'AUDITING_GRPC_ALERT_NAMES',
    parser: certificateNames,
    fallback: 'auditing-alert',
    description:
      "Names of the alert service's client certificate, which may read the rule set and its receivers.",
  },
  ruleNames: {
    variable: 'AUDITING_GRPC_RULE_NAMES',
    parser: certificateNames,
    fallback: 'auditing-rule',
    description:
      "Names of the rule service's client certificate, which may ask how the receivers fare.",
  },
} as const;

/** What the settings above give. */
export type AccessConfig = ConfigOf<typeof ACCESS_SETTINGS>;
