import { ACCESS_SETTINGS } from '@auditing/access/access-settings';
import { GRPC_CONNECTION_AGE_SETTING } from '@auditing/service/grpc-server';
import { GRPC_TLS_SETTINGS } from '@auditing/service/grpc-tls';
import type { ConfigOf } from '@auditing/service/settings';
import {
  bytes,
  choice,
  duration,
  integer,
  listenAddress,
  optional,
  path,
  port,
  secret,
  text,
  type Parser,
} from '@auditing/service/setting-parsers';

/** Host names and addresses, separated by commas. */
const hosts: Parser<readonly string[]> = {
  expected: 'host names or addresses separated by commas',
  unit: 'list',
  parse(value) {
    const names = value.split(',').map((name) => name.trim());
    const all = names.filter((name) => name !== '');
    if (!all.every((name) => /^[A-Za-z0-9.:*_-]+$/.test(name))) throw new TypeError();
    return all;
  },
};

/** A size that leaves room to work: below it not even one event of the largest usual size could be handled. */
const memoryBytes: Parser<number> = {
  ...bytes,
  expected: 'a size of at least 64MiB, such as 256MiB',
  parse(value) {
    const size = bytes.parse(value);
    if (size < 64 * 2 ** 20) throw new TypeError();
    return size;
  },
};

/** Settings of the port that audit bodies are posted to. */
export const WEBHOOK_SETTINGS = {
  host: {
    variable: 'AUDITING_WEBHOOK_HOST',
    parser: optional(text),
    fallback: '',
    description: 'Address that the webhook listens on; empty: every address of the machine.',
  },
  port: {
    variable: 'AUDITING_WEBHOOK_PORT',
    parser: port,
    fallback: '6443',
    description:
      'Port of `POST /audit/webhook/event`, `/readiness` and `/liveness`; 0 picks a free one.',
  },
  tls: {
    variable: 'AUDITING_WEBHOOK_TLS',
    parser: choice('self-signed', 'files', 'off'),
    fallback: 'self-signed',
    description:
      'Where the certificate comes from: made at first start and kept under the data folder, read from files, or no TLS.',
  },
  tlsHosts: {
    variable: 'AUDITING_WEBHOOK_TLS_HOSTS',
    parser: hosts,
    fallback: '',
    description:
      'Names and addresses, separated by commas, that a self-signed certificate is valid for beside localhost and the host name.',
  },
  tlsCert: {
    variable: 'AUDITING_WEBHOOK_TLS_CERT',
    parser: path,
    fallback: '/etc/kube/auditing/tls.crt',
    description: 'Certificate chain, PEM, for TLS `files`; read again within a second of a change.',
  },
  tlsKey: {
    variable: 'AUDITING_WEBHOOK_TLS_KEY',
    parser: path,
    fallback: '/etc/kube/auditing/tls.key',
    description: 'Its private key, PEM.',
  },
  tlsCa: {
    variable: 'AUDITING_WEBHOOK_TLS_CA',
    parser: optional(path),
    fallback: '',
    description:
      'CA that senders must trust, PEM, for the files that are printed for them (`sender-files`); with TLS `self-signed` it is known.',
  },
  url: {
    variable: 'AUDITING_WEBHOOK_URL',
    parser: optional(text),
    fallback: '',
    description:
      'URL of the webhook as senders reach it, for these files. Empty: where the gateway listens.',
  },
  clientCa: {
    variable: 'AUDITING_WEBHOOK_CLIENT_CA',
    parser: optional(path),
    fallback: '',
    description:
      'CA certificates, PEM: senders must show a client certificate signed by one of them. Empty: none is asked for.',
  },
  token: {
    variable: 'AUDITING_WEBHOOK_TOKEN',
    parser: optional(secret),
    fallback: '',
    description:
      'Senders must send `Authorization: Bearer` with this token. Empty: none is asked for.',
  },
  maxConnections: {
    variable: 'AUDITING_WEBHOOK_MAX_CONNECTIONS',
    parser: integer(1, 1_000_000),
    fallback: '2000',
    description: 'Most connections at a time; more are closed at once.',
  },
  bodyTimeoutMs: {
    variable: 'AUDITING_WEBHOOK_BODY_TIMEOUT',
    parser: duration,
    fallback: '30s',
    description:
      'How long a sender may take to send a body; ten times as long for one over 16 MiB. kube-apiserver itself gives up after 30 s.',
  },
} as const;

/** Settings of what is kept until it is delivered. */
export const RECEIVE_SETTINGS = {
  dataDir: {
    variable: 'AUDITING_DATA_DIR',
    parser: path,
    fallback: './data',
    description: 'Folder of everything that must survive a restart; this app uses `gateway` in it.',
  },
  bodyMaxBytes: {
    variable: 'AUDITING_BODY_MAX_BYTES',
    parser: bytes,
    fallback: '256MiB',
    description: 'Largest body that is taken, unpacked; a larger one is answered 413.',
  },
  memoryMaxBytes: {
    variable: 'AUDITING_MEMORY_MAX_BYTES',
    parser: memoryBytes,
    fallback: '256MiB',
    description:
      'Memory for events on their way: three eighths for bodies in flight, a quarter for what was spooled last.',
  },
  spoolMaxBytes: {
    variable: 'AUDITING_SPOOL_MAX_BYTES',
    parser: bytes,
    fallback: '10GiB',
    description:
      'Most bytes of the spool, and never more than 80 % of the disk; when it is full, bodies are answered 503.',
  },
  deadLettersMaxBytes: {
    variable: 'AUDITING_DEAD_LETTERS_MAX_BYTES',
    parser: bytes,
    fallback: '256MiB',
    description:
      'Most bytes of dead letters; the oldest make room. One letter keeps an eighth at most.',
  },
  deadLettersMaxCount: {
    variable: 'AUDITING_DEAD_LETTERS_MAX_COUNT',
    parser: integer(1, 10_000_000),
    fallback: '10000',
    description: 'Most dead letters; the oldest make room.',
  },
} as const;

/** Settings of the query API. */
export const API_SETTINGS = {
  host: {
    variable: 'AUDITING_API_HOST',
    parser: text,
    fallback: '127.0.0.1',
    description:
      'Address that the query API listens on; one that other machines reach needs a token or Kubernetes.',
  },
  port: {
    variable: 'AUDITING_API_PORT',
    parser: port,
    fallback: '8080',
    description: 'Port of the query API; 0 picks a free one.',
  },
  queryTimeoutMs: {
    variable: 'AUDITING_QUERY_TIMEOUT',
    parser: duration,
    fallback: '30s',
    description: 'A question whose answer has not begun by then is answered 504.',
  },
  maxQueries: {
    variable: 'AUDITING_API_MAX_QUERIES',
    parser: integer(1, 10_000),
    fallback: '32',
    description:
      'Questions that are answered at once; further ones are answered 503. One client may have a quarter of them, more are answered 429.',
  },
  maxStreams: {
    variable: 'AUDITING_API_MAX_STREAMS',
    parser: integer(1, 10_000),
    fallback: '64',
    description:
      'Tails, exports and checks of the archive that are open at once; likewise a quarter for one client.',
  },
} as const;

/** Settings of where the other services are; not there in standalone, which has them in its own process. */
export const PEER_SETTINGS = {
  rule: {
    variable: 'AUDITING_RULE_ADDRESS',
    parser: text,
    fallback: '127.0.0.1:9081',
    description: 'Target of the rule service, `host:port` or `dns:///host:port`.',
  },
  archive: {
    variable: 'AUDITING_ARCHIVE_ADDRESS',
    parser: text,
    fallback: '127.0.0.1:9082',
    description: 'Target of the archive service.',
  },
  alert: {
    variable: 'AUDITING_ALERT_ADDRESS',
    parser: text,
    fallback: '127.0.0.1:9083',
    description: 'Target of the alert service.',
  },
  tls: GRPC_TLS_SETTINGS,
} as const;

/** Settings of the gRPC server for tools; in standalone it is that of the other services. */
export const GRPC_SETTINGS = {
  listen: {
    variable: 'AUDITING_GRPC_LISTEN',
    parser: listenAddress,
    fallback: '127.0.0.1:9080',
    description:
      'Where gRPC is served; port 0 picks a free one. Without TLS only a loopback address.',
  },
  maxConnectionAgeMs: GRPC_CONNECTION_AGE_SETTING,
} as const;

export type WebhookConfig = ConfigOf<typeof WEBHOOK_SETTINGS>;
export type ReceiveConfig = ConfigOf<typeof RECEIVE_SETTINGS>;

/** Settings of the gateway wherever it runs. */
export const SETTINGS = {
  webhook: WEBHOOK_SETTINGS,
  receive: RECEIVE_SETTINGS,
  api: API_SETTINGS,
  access: ACCESS_SETTINGS,
} as const;

/** Every setting of the gateway in a process of its own. */
export const PROCESS_SETTINGS = {
  ...SETTINGS,
  peers: PEER_SETTINGS,
  grpc: GRPC_SETTINGS,
} as const;

export type GatewayConfig = ConfigOf<typeof SETTINGS>;
export type GatewayProcessConfig = ConfigOf<typeof PROCESS_SETTINGS>;
