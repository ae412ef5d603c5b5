import { ACCESS_SETTINGS } from '@auditing/access/access-settings';
import { GRPC_CONNECTION_AGE_SETTING } from '@auditing/service/grpc-server';
import { GRPC_TLS_SETTINGS } from '@auditing/service/grpc-tls';
import {
  choice,
  listenAddress,
  optional,
  path,
  text,
  type Parser,
} from '@auditing/service/setting-parsers';
import type { ConfigOf } from '@auditing/service/settings';

/** A URL may hold a password, so it is never shown. */
const redisTarget: Parser<string> = {
  expected: 'redis://host:6379, rediss://host:6379 (TLS) or the path of a unix socket',
  unit: 'URL or path',
  secret: true,
  parse(value) {
    if (value.startsWith('/')) return value;
    if (!['redis:', 'rediss:'].includes(new URL(value).protocol)) throw new TypeError();
    return value;
  },
};

/** Every setting of the rule service. */
export const SETTINGS = {
  ruleSource: {
    variable: 'AUDITING_RULE_SOURCE',
    parser: choice('folder', 'kubernetes'),
    fallback: 'folder',
    description:
      'Where the resources come from: the folder, or the Kubernetes API. In a cluster say `kubernetes`: it is never guessed.',
  },
  configDir: {
    variable: 'AUDITING_CONFIG_DIR',
    parser: path,
    fallback: './config',
    description:
      'Folder with the Webhook and Rule resources: every `.yaml`, `.yml` and `.json` below it.',
  },
  dataDir: {
    variable: 'AUDITING_DATA_DIR',
    parser: path,
    fallback: './data',
    description: 'Data folder; this app keeps its last rule set in `rule` there.',
  },
  listen: {
    variable: 'AUDITING_GRPC_LISTEN',
    parser: listenAddress,
    fallback: '127.0.0.1:9081',
    description: 'Where gRPC is served. Without TLS only a loopback address.',
  },
  webhookName: {
    variable: 'AUDITING_WEBHOOK_NAME',
    parser: text,
    fallback: 'kube-auditing-webhook',
    description: 'Name of the Webhook resource in force; others are ignored.',
  },
  alertAddress: {
    variable: 'AUDITING_ALERT_ADDRESS',
    parser: optional(text),
    fallback: '',
    description:
      'With `kubernetes`: target of the alert service, which is asked how its receivers fare, for the status of the Webhook resource. Empty: nobody is asked.',
  },
  redisUrl: {
    variable: 'AUDITING_REDIS_URL',
    parser: optional(redisTarget),
    fallback: '',
    description:
      'Redis that the replicas of this service share their rule set by. Who can write there can switch rules off: use a password and TLS, `rediss://:PASSWORD@host:6379` or `rediss://USER:PASSWORD@host:6379`. Empty: none.',
  },
  redisCa: {
    variable: 'AUDITING_REDIS_CA',
    parser: optional(path),
    fallback: '',
    description:
      'CA certificates (PEM) that sign the certificate of a `rediss://` Redis, read at start. Empty: those that Node trusts.',
  },
  redisPrefix: {
    variable: 'AUDITING_REDIS_PREFIX',
    parser: text,
    fallback: 'auditing',
    description: 'First part of the names used in Redis, for several installations on one Redis.',
  },
  grpcTls: GRPC_TLS_SETTINGS,
  maxConnectionAgeMs: GRPC_CONNECTION_AGE_SETTING,
  access: ACCESS_SETTINGS,
} as const;

/** The configuration of the rule service. */
export type RuleConfig = ConfigOf<typeof SETTINGS>;
