import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import type { KubeConnection, KubeCredentials } from './kube-connection';

interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly contexts?: readonly {
    readonly name: string;
    readonly context: {
      readonly cluster: string;
      readonly user: string;
      readonly namespace?: string;
    };
  }[];
  readonly clusters?: readonly { readonly name: string; readonly cluster: Cluster }[];
  readonly users?: readonly { readonly name: string; readonly user: User | null }[];
}

interface Cluster {
  readonly server: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'tls-server-name'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
}

interface User {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly exec?: unknown;
  readonly 'auth-provider'?: unknown;
}

/**
 * The connection of a kubeconfig's current context: client certificates, tokens, and user and password.
 *
 * @throws Error naming the file and what is missing in it, also for log-in plug-ins, which are not run
 */
export async function kubeconfigConnection(path: string): Promise<KubeConnection> {
  const config = (parse(await readFile(path, 'utf8')) ?? {}) as Kubeconfig;
  const refuse = (what: string): never => {
    throw new Error(`${path}: ${what}`);
  };
  const wanted = config['current-context'] ?? refuse('expected current-context, got nothing');
  const named = <T extends { readonly name: string }>(
    list: readonly T[] | undefined,
    of: Name,
  ): T =>
    list?.find(({ name }) => name === of.name) ?? refuse(`there is no ${of.kind} \`${of.name}\``);
  const { context } = named(config.contexts, { kind: 'context', name: wanted });
  const { cluster } = named(config.clusters, { kind: 'cluster', name: context.cluster });
  const user = named(config.users, { kind: 'user', name: context.user }).user ?? {};
  if (user.exec ?? user['auth-provider'])
    refuse(
      `user \`${context.user}\` logs in by a plug-in; expected a token or a client certificate`,
    );
  const folder = dirname(path);
  return {
    server: cluster.server.replace(/\/+$/, ''),
    namespace: context.namespace ?? 'default',
    credentials: () => credentialsOf(cluster, user, folder),
  };
}

interface Name {
  readonly kind: string;
  readonly name: string;
}

async function credentialsOf(
  cluster: Cluster,
  user: User,
  folder: string,
): Promise<KubeCredentials> {
  const pem = async (
    data: string | undefined,
    file: string | undefined,
  ): Promise<string | undefined> =>
    data !== undefined
      ? Buffer.from(data, 'base64').toString('utf8')
      : file === undefined
        ? undefined
        : readFile(resolve(folder, file), 'utf8');
  const ca = await pem(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const cert = await pem(user['client-certificate-data'], user['client-certificate']);
  const key = await pem(user['client-key-data'], user['client-key']);
  const authorization = await authorizationOf(user, folder);
  const serverName = cluster['tls-server-name'];
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(authorization !== undefined && { authorization }),
    ...(serverName !== undefined && { serverName }),
    ...(cluster['insecure-skip-tls-verify'] && { insecure: true }),
  };
}

async function authorizationOf(user: User, folder: string): Promise<string | undefined> {
  const { tokenFile, token, username, password } = user;
  if (tokenFile !== undefined)
    return `Bearer ${(await readFile(resolve(folder, tokenFile), 'utf8')).trim()}`;
  if (token !== undefined) return `Bearer ${token}`;
  if (username === undefined) return undefined;
  return `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`;
}
