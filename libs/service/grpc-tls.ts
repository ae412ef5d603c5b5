import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ChannelCredentials, experimental, ServerCredentials } from '@grpc/grpc-js';
import type { Runtime } from './service';
import { optional, path } from './setting-parsers';
import type { ConfigOf } from './settings';
import { fileStamp, watchFiles } from './watch-files';

/** Settings of TLS between the services. Certificate, key and CA are given together or not at all. */
export const GRPC_TLS_SETTINGS = {
  cert: {
    variable: 'AUDITING_GRPC_TLS_CERT',
    parser: optional(path),
    fallback: '',
    description: 'Certificate chain (PEM) for calls between the services, as server and as client.',
  },
  key: {
    variable: 'AUDITING_GRPC_TLS_KEY',
    parser: optional(path),
    fallback: '',
    description: 'Private key (PEM) of that certificate.',
  },
  ca: {
    variable: 'AUDITING_GRPC_TLS_CA',
    parser: optional(path),
    fallback: '',
    description:
      'Certificates (PEM) that the other side must be signed by, as server and as client (mutual TLS).',
  },
} as const;

/** What the settings above give. */
export type GrpcTlsConfig = ConfigOf<typeof GRPC_TLS_SETTINGS>;

/** Credentials of one service, for both directions. */
export interface GrpcCredentials {
  readonly server: ServerCredentials;
  readonly client: ChannelCredentials;
  /** False: anybody who reaches the port can call, so only loopback addresses are listened on. */
  readonly isSecure: boolean;
}

/** Credentials without TLS. */
export const INSECURE: GrpcCredentials = {
  server: ServerCredentials.createInsecure(),
  client: ChannelCredentials.createInsecure(),
  isSecure: false,
};

/**
 * Reads the files: TLS with certificates on both sides if all three are given, no TLS if none is. They are read again
 * within a second of a change; connections that are open stay as they are. Files that cannot be used leave the old ones
 * in force and are logged.
 *
 * A server asks for a client certificate and takes calls without one: which calls need it is the matter of `Admit`.
 *
 * @throws Error if only some are given, or a file cannot be read or used.
 */
export async function openGrpcCredentials(
  config: GrpcTlsConfig,
  { log, closeLater }: Pick<Runtime, 'log' | 'closeLater'>,
): Promise<GrpcCredentials> {
  const { cert, key, ca } = config;
  if (cert === undefined && key === undefined && ca === undefined) return INSECURE;
  if (cert === undefined || key === undefined || ca === undefined) {
    throw new Error(
      'AUDITING_GRPC_TLS_CERT, AUDITING_GRPC_TLS_KEY and AUDITING_GRPC_TLS_CA: set all three, or none for no TLS',
    );
  }
  const paths = { cert, key, ca };
  const files = Object.values(paths);
  const seen = await fileStamp(files);
  const provider = certificateProvider(await readChecked(paths));
  const stop = watchFiles(files, seen, {
    async onChange() {
      provider.replace(await readChecked(paths));
      log.info('certificates between the services replaced');
    },
    onError: (error) =>
      log.error(
        { err: error },
        'new certificates between the services cannot be used; the old ones stay in force',
      ),
  });
  closeLater('certificates between the services', stop);
  return {
    server: experimental.createCertificateProviderServerCredentials(provider, provider, false),
    client: experimental.createCertificateProviderChannelCredentials(provider, provider),
    isSecure: true,
  };
}

interface Certificates {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

/** Throws if OpenSSL does not take them: later, in a running server, that would end every handshake. */
async function readChecked(paths: Record<keyof Certificates, string>): Promise<Certificates> {
  const [cert, key, ca] = await Promise.all([
    readFile(paths.cert),
    readFile(paths.key),
    readFile(paths.ca),
  ]);
  createSecureContext({ cert, key, ca });
  // An empty bundle is no error to OpenSSL; it would trust nobody.
  new X509Certificate(ca);
  return { cert, key, ca };
}

/** Certificates that change, in the shape that grpc-js asks for. */
function certificateProvider(
  first: Certificates,
): experimental.CertificateProvider & { replace(next: Certificates): void } {
  let { cert, key, ca } = first;
  const identities = new Set<experimental.IdentityCertificateUpdateListener>();
  const authorities = new Set<experimental.CaCertificateUpdateListener>();
  const tellIdentity = (listener: experimental.IdentityCertificateUpdateListener): void =>
    listener({ certificate: cert, privateKey: key });
  const tellAuthority = (listener: experimental.CaCertificateUpdateListener): void =>
    listener({ caCertificate: ca });
  return {
    addIdentityCertificateListener(listener) {
      identities.add(listener);
      // grpc-js is ready for it only after this call.
      process.nextTick(tellIdentity, listener);
    },
    removeIdentityCertificateListener: (listener) => void identities.delete(listener),
    addCaCertificateListener(listener) {
      authorities.add(listener);
      process.nextTick(tellAuthority, listener);
    },
    removeCaCertificateListener: (listener) => void authorities.delete(listener),
    replace(next) {
      ({ cert, key, ca } = next);
      identities.forEach(tellIdentity);
      authorities.forEach(tellAuthority);
    },
  };
}
