import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** How to reach an API server. */
export interface KubeConnection {
  /** URL without a slash at its end, such as `https://kubernetes.default.svc`. */
  readonly server: string;
  /** Where this process runs, or the namespace of the context; `default` if nothing says. */
  readonly namespace: string;
  /** What to show, read anew at each request: tokens and certificates rotate. */
  readonly credentials: () => Promise<KubeCredentials>;
}

/** What a client shows the server, and by what it knows it. */
export interface KubeCredentials {
  /** PEM; undefined trusts what the system trusts. */
  readonly ca?: string;
  /** PEM of a client certificate and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** The whole `Authorization` header. */
  readonly authorization?: string;
  /** Name that the server's certificate must be for, if not the host's. */
  readonly serverName?: string;
  /** Takes any certificate: only a kubeconfig that says so. */
  readonly insecure?: boolean;
}

/** Where Kubernetes puts the identity of a pod. */
export const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The API server as pods know it; its certificate is for this name. */
export const IN_CLUSTER_SERVER = 'https://kubernetes.default.svc';

/**
 * The connection of a pod, by the files of its service account.
 *
 * @throws Error if the files are not there: this process runs in no pod, or in one without a service account token
 */
export async function inClusterConnection(
  folder = SERVICE_ACCOUNT_FOLDER,
  server = IN_CLUSTER_SERVER,
): Promise<KubeConnection> {
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');
  const credentials = async (): Promise<KubeCredentials> => ({
    ca: await read('ca.crt'),
    authorization: `Bearer ${(await read('token')).trim()}`,
  });
  try {
    await credentials();
    return { server, credentials, namespace: (await read('namespace')).trim() };
  } catch (error) {
    throw new Error(
      `expected the files of a service account in ${folder}: run in a pod whose token is mounted, or name a kubeconfig`,
      { cause: error },
    );
  }
}

/**
 * The connection that a kubeconfig describes if a path is given, else that of a pod.
 *
 * @param kubeconfig path of a kubeconfig file; its current context is used
 */
export async function openConnection(kubeconfig: string | undefined): Promise<KubeConnection> {
  if (kubeconfig === undefined) return inClusterConnection();
  // Only a laptop needs it, and YAML takes time to load.
  const { kubeconfigConnection } = await import('./kubeconfig');
  return kubeconfigConnection(kubeconfig);
}
