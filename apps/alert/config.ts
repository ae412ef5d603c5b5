import { ACCESS_SETTINGS } from '@auditing/access/access-settings';
import { GRPC_CONNECTION_AGE_SETTING } from '@auditing/service/grpc-server';
import { GRPC_TLS_SETTINGS } from '@auditing/service/grpc-tls';
import {
  boolean,
  bytes,
  duration,
  integer,
  listenAddress,
  path,
  text,
  type Parser,
} from '@auditing/service/setting-parsers';
import type { ConfigOf } from '@auditing/service/settings';
import { blockedAddresses } from './receivers/blocked-addresses';

/** A duration that cannot be 0. */
const positiveDuration: Parser<number> = {
  ...duration,
  expected: 'a duration of at least 1ms, such as 500ms, 5s, 10m or 12h',
  parse(value) {
    const ms = duration.parse(value);
    if (ms <= 0) throw new TypeError();
    return ms;
  },
};

/** Where people reach something: no slash at its end. */
const externalUrl: Parser<string> = {
  expected: 'a url that begins with http:// or https://, or nothing',
  unit: 'url',
  parse(value) {
    if (value === '') return '';
    if (!/^https?:\/\//.test(value) || !URL.canParse(value)) throw new TypeError();
    return value.replace(/\/+$/, '');
  },
};

/** Every setting of the alert service. The last four are for its own process: standalone has no use for them. */
export const SETTINGS = {
  dataDir: {
    variable: 'AUDITING_DATA_DIR',
    parser: path,
    fallback: './data',
    description: 'Folder of what must survive a restart; the outbox is in `alert` below it.',
  },
  outboxMaxBytes: {
    variable: 'AUDITING_ALERT_OUTBOX_MAX_BYTES',
    parser: bytes,
    fallback: '1GiB',
    description:
      'Size of the outbox from which on no alert is taken (the gateway keeps them); history gives way before.',
  },
  pendingMax: {
    variable: 'AUDITING_ALERT_PENDING_MAX',
    parser: integer(1, 10_000_000),
    fallback: '200000',
    description: 'Undelivered alerts from which on none is taken; each has an entry in memory.',
  },
  maxAgeMs: {
    variable: 'AUDITING_ALERT_MAX_AGE',
    parser: positiveDuration,
    fallback: '24h',
    description: 'An alert that a receiver has not taken by this age becomes a dead letter.',
  },
  holdMs: {
    variable: 'AUDITING_ALERT_HOLD',
    parser: positiveDuration,
    fallback: '10m',
    description:
      'How long Alertmanager shows an alert as firing, from the time it is sent. Keep it above `group_wait` and `group_interval`, or nobody is told.',
  },
  tryTimeoutMs: {
    variable: 'AUDITING_ALERT_TRY_TIMEOUT',
    parser: positiveDuration,
    fallback: '10s',
    description: 'A request to a receiver that is not answered by then is tried again.',
  },
  receiverGraceMs: {
    variable: 'AUDITING_ALERT_RECEIVER_GRACE',
    parser: duration,
    fallback: '10m',
    description:
      'How long alerts wait for a receiver that was removed from the Webhook resource before they become dead letters.',
  },
  historyAgeMs: {
    variable: 'AUDITING_ALERT_HISTORY_AGE',
    parser: duration,
    fallback: '7d',
    description:
      'How long delivered and dead alerts are listed, and an event sent again raises none anew.',
  },
  historyMax: {
    variable: 'AUDITING_ALERT_HISTORY_MAX',
    parser: integer(0, 10_000_000),
    fallback: '10000',
    description: 'How many delivered alerts are listed, and as many dead ones again.',
  },
  secretsDir: {
    variable: 'AUDITING_ALERT_SECRETS_DIR',
    parser: path,
    fallback: './secrets',
    description:
      'Folder of the secrets that receivers refer to: a file by its path below it, an entry of a Secret as `<name>/<key>`. They are read anew every 10 s.',
  },
  blocked: {
    variable: 'AUDITING_ALERT_BLOCKED_ADDRESSES',
    parser: blockedAddresses,
    fallback: '169.254.0.0/16, fe80::/10',
    description:
      'Networks in which no receiver may be, whatever its name resolves to. The default is where clouds have their metadata, credentials among them. Add private networks where those who write the Webhook resource must not reach them.',
  },
  skipSilenced: {
    variable: 'AUDITING_ALERT_SKIP_SILENCED',
    parser: boolean,
    fallback: 'false',
    description:
      'True: what a silence of an Alertmanager among the receivers matches is not sent to receivers of other types, and listed as silenced. Silences are read every 15 s.',
  },
  fallback: {
    variable: 'AUDITING_ALERT_FALLBACK',
    parser: text,
    fallback: '',
    description:
      'Name of a receiver that gets alerts only if another one did not take them in time, or refused them, besides heartbeats and probes. Empty: there is none.',
  },
  fallbackAfterMs: {
    variable: 'AUDITING_ALERT_FALLBACK_AFTER',
    parser: positiveDuration,
    fallback: '5m',
    description: 'How long an alert waits for its receiver before the fallback gets it too.',
  },
  groupWindowMs: {
    variable: 'AUDITING_ALERT_GROUP_WINDOW',
    parser: duration,
    fallback: '5m',
    description:
      'Alerts of one rule, cluster, namespace, resource, name, user and verb within this time are told as one: the first at once, the others by an update. 0: each goes out.',
  },
  ratePerMinute: {
    variable: 'AUDITING_ALERT_RATE',
    parser: integer(0, 1_000_000),
    fallback: '60',
    description:
      'Alerts of one rule that one receiver gets one by one, a minute in the long run; those above go into a digest. 0: no limit.',
  },
  rateBurst: {
    variable: 'AUDITING_ALERT_BURST',
    parser: integer(1, 1_000_000),
    fallback: '1000',
    description: 'Alerts of one rule that one receiver gets one by one after a quiet time.',
  },
  digestIntervalMs: {
    variable: 'AUDITING_ALERT_DIGEST_INTERVAL',
    parser: positiveDuration,
    fallback: '1m',
    description: 'How long a digest waits for more alerts after its first.',
  },
  heartbeatMs: {
    variable: 'AUDITING_ALERT_HEARTBEAT',
    parser: duration,
    fallback: '0',
    description:
      'Every receiver gets the alert `AuditingHeartbeat` this often, so that its absence can be noticed. Keep it well below `AUDITING_ALERT_HOLD`. 0: never.',
  },
  hasTimeLabel: {
    variable: 'AUDITING_ALERT_TIME_LABEL',
    parser: boolean,
    fallback: 'true',
    description:
      'True: alerts have the labels of KubeSphere, `requestReceivedTimestamp` and `group` among them, so that each is one of its own. False: few and stable labels, with `cluster`.',
  },
  externalUrl: {
    variable: 'AUDITING_ALERT_EXTERNAL_URL',
    parser: externalUrl,
    fallback: '',
    description:
      'Where people reach the query API of the gateway, such as `https://auditing.example.com`. Alerts link to their events there; without it they have no links.',
  },
  grpcListen: {
    variable: 'AUDITING_GRPC_LISTEN',
    parser: listenAddress,
    fallback: '127.0.0.1:9083',
    description: 'Address that gRPC listens on. Only loopback without TLS.',
  },
  ruleAddress: {
    variable: 'AUDITING_RULE_ADDRESS',
    parser: text,
    fallback: '127.0.0.1:9081',
    description: 'Address of the rule service, which knows the receivers.',
  },
  tls: GRPC_TLS_SETTINGS,
  maxConnectionAgeMs: GRPC_CONNECTION_AGE_SETTING,
  access: ACCESS_SETTINGS,
} as const;

export type AlertConfig = ConfigOf<typeof SETTINGS>;
