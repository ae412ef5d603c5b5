import { readFile } from 'node:fs/promises';

import type { ArchiveConfig } from '../config';
import type { Endpoint } from './connect';

/**
 * Where OpenSearch is, out of the settings.
 *
 * @throws Error if they do not fit together, or a file cannot be read.
 */
export async function readEndpoint(config: ArchiveConfig['opensearch']): Promise<Endpoint> {
  const { nodes, tls, timeoutMs } = config;
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new Error(
      'AUDITING_OPENSEARCH_TLS_CERT and AUDITING_OPENSEARCH_TLS_KEY: set both, or neither for no client certificate',
    );
  }
  const read = async (path: string | undefined): Promise<Buffer | undefined> =>
    path === undefined ? undefined : readFile(path);
  const [ca, cert, key] = await Promise.all([read(tls.ca), read(tls.cert), read(tls.key)]);
  const [username, password] = credentials(config);
  return {
    // What stands in a URL would be shown in errors.
    nodes: nodes.map((node) => withoutCredentials(node)),
    username,
    password,
    tls: { ca, cert, key },
    timeoutMs,
  };
}

/** Those of the settings, else those that the first node's URL holds. */
function credentials({
  nodes,
  username,
  password,
}: ArchiveConfig['opensearch']): readonly [string | undefined, string | undefined] {
  if (username !== undefined) return [username, password];
  const url = new URL(nodes[0] ?? '');
  if (url.username === '') return [undefined, undefined];
  return [decodeURIComponent(url.username), decodeURIComponent(url.password)];
}

function withoutCredentials(node: string): string {
  const url = new URL(node);
  url.username = '';
  url.password = '';
  return url.href;
}
