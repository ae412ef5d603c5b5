import { createHash, timingSafeEqual } from 'node:crypto';
import { KubeError } from '@auditing/kubernetes/kube-error';
import type { KubeUser } from '@auditing/kubernetes/reviews';
import type { Scope } from '@auditing/proto/archive';
import type { Caller } from '@auditing/service/grpc-admission';
import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';
import type { AccessConfig } from './access-settings';
import type { Need } from './needs';
import type { Reviews } from './reviews';
import { scopeOf } from './scope-of';

/** What a caller may see. */
export interface Grant {
  /** Undefined: every event. */
  readonly scope: Scope | undefined;
}

/**
 * Says whether a caller may do something that has this need, and what it may see.
 *
 * @throws RpcError UNAUTHENTICATED if it is not known, PERMISSION_DENIED if it is known and may not, UNAVAILABLE while
 * the Kubernetes API server is away
 */
export type Access = (need: Need, caller: Caller) => Promise<Grant>;

/** What the check goes by. */
export interface AccessOptions {
  readonly config: AccessConfig;
  /** With mode `kubernetes`. */
  readonly reviews: Reviews | undefined;
  /** Whether callers can show a client certificate: gRPC with mutual TLS. */
  readonly hasCertificates: boolean;
}

const EVERYTHING: Grant = { scope: undefined };

/** Rights in a cluster that say nothing of events. No object `deadletters` exists: it is a name for Roles. */
const RIGHTS = {
  rules: { group: 'auditing.kubesphere.io', resource: 'rules', verb: 'list' },
  'dead letters': { group: 'auditing.kubesphere.io', resource: 'deadletters', verb: 'update' },
} as const;

/** The one check that HTTP and gRPC share. Without certificates, token and Kubernetes everybody may do everything: such a port listens on this machine alone. */
export function accessBy(options: AccessOptions): Access {
  const { config, reviews, hasCertificates } = options;
  const isOpen = !hasCertificates && reviews === undefined && config.token === undefined;
  return async (need, caller) => {
    if (need === 'open' || isOpen) return EVERYTHING;
    if (isOneOf(config.gatewayNames, caller)) return EVERYTHING;
    if (need === 'all events or rule' && isOneOf(config.ruleNames, caller)) return EVERYTHING;
    if (need === 'gateway' || need === 'gateway or alert') {
      checkService(need, caller, options);
      return EVERYTHING;
    }
    if (reviews !== undefined) return grantOf(need, await userOf(caller, reviews), options);
    checkToken(caller, config.token);
    return EVERYTHING;
  };
}

function isOneOf(services: readonly string[], { names }: Caller): boolean {
  return names.some((name) => services.includes(name));
}

function checkService(need: Need, { names, token }: Caller, options: AccessOptions): void {
  const { config, reviews, hasCertificates } = options;
  const { gatewayNames, alertNames } = config;
  const allowed = need === 'gateway' ? gatewayNames : [...gatewayNames, ...alertNames];
  if (names.some((name) => allowed.includes(name))) return;
  if (!hasCertificates) {
    // Services without TLS share a machine; the token is all that tells them from others on it.
    if (reviews === undefined) {
      checkToken({ names, token }, config.token);
      return;
    }
    throw new RpcError(
      status.PERMISSION_DENIED,
      'this call is for the services of the system, which are known by their certificates: set AUDITING_GRPC_TLS_CERT, AUDITING_GRPC_TLS_KEY and AUDITING_GRPC_TLS_CA everywhere',
    );
  }
  const setting =
    need === 'gateway'
      ? 'AUDITING_GRPC_GATEWAY_NAMES'
      : 'AUDITING_GRPC_GATEWAY_NAMES or AUDITING_GRPC_ALERT_NAMES';
  const expected = `expected a client certificate with a name of ${setting} (${allowed.join(', ')})`;
  if (names.length === 0)
    throw new RpcError(
      status.UNAUTHENTICATED,
      `${expected}, got none that our CA signed and that is valid now`,
    );
  throw new RpcError(status.PERMISSION_DENIED, `${expected}, got one of ${names.join(', ')}`);
}

function checkToken({ token }: Caller, expected: string | undefined): void {
  if (expected === undefined) {
    throw new RpcError(
      status.UNAUTHENTICATED,
      'this server knows no token: set AUDITING_API_TOKEN for it, or AUDITING_ACCESS to kubernetes',
    );
  }
  // Hashes have one length, so the comparison takes the same time whatever was sent.
  if (token !== undefined && timingSafeEqual(digest(token), digest(expected))) return;
  const got = token === undefined ? 'got none' : 'got another one';
  throw new RpcError(
    status.UNAUTHENTICATED,
    `expected the token of AUDITING_API_TOKEN as authorization: Bearer, ${got}`,
  );
}

async function userOf({ token }: Caller, reviews: Reviews): Promise<KubeUser> {
  if (token === undefined) {
    throw new RpcError(
      status.UNAUTHENTICATED,
      'expected a token of the cluster as authorization: Bearer, got none; kubectl create token NAME gives one of a service account',
    );
  }
  const user = await reviewed(() => reviews.userOf(token));
  if (user !== undefined) return user;
  throw new RpcError(
    status.UNAUTHENTICATED,
    'the Kubernetes API server does not know this token: it is wrong, expired, or meant for another audience',
  );
}

async function grantOf(need: Need, user: KubeUser, options: AccessOptions): Promise<Grant> {
  const { reviews, config } = options;
  if (reviews === undefined) return EVERYTHING;
  if (need === 'rules' || need === 'dead letters') {
    const right = RIGHTS[need];
    if (await reviewed(() => reviews.allows(user, right))) return EVERYTHING;
    throw denied(user, `to ${right.verb} ${right.resource}.${right.group} in the whole cluster`);
  }
  const scope = await reviewed(() => scopeOf(user, reviews, config.eventsGroup));
  if (need === 'events' || scope === undefined) return { scope };
  const resource = config.eventsGroup === '' ? 'events' : `events.${config.eventsGroup}`;
  throw denied(user, `to list ${resource} in the whole cluster`);
}

function denied({ username }: KubeUser, what: string): RpcError {
  return new RpcError(
    status.PERMISSION_DENIED,
    `${JSON.stringify(username)} may not: it takes the right ${what} (a ClusterRole and a ClusterRoleBinding)`,
  );
}

async function reviewed<T>(review: () => Promise<T>): Promise<T> {
  try {
    return await review();
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    throw new RpcError(
      status.UNAVAILABLE,
      `the Kubernetes API server could not be asked who you are and what you may see: ${error.message}`,
      { cause: error },
    );
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
