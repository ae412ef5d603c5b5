import { readFile } from 'node:fs/promises';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { optional, path } from './setting-parsers';
import type { ConfigOf } from './settings';

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
 * Reads the files: mutual TLS if all three are given, no TLS if none is.
 *
 * @throws Error if only some are given, or a file cannot be read.
 */
export async function readGrpcCredentials(config: GrpcTlsConfig): Promise<GrpcCredentials> {
  const { cert, key, ca } = config;
  if (cert === undefined && key === undefined && ca === undefined) return INSECURE;
  if (cert === undefined || key === undefined || ca === undefined) {
    throw new Error(
      'AUDITING_GRPC_TLS_CERT, AUDITING_GRPC_TLS_KEY and AUDITING_GRPC_TLS_CA: set all three, or none for no TLS',
    );
  }
  const [certPem, keyPem, caPem] = await Promise.all([readFile(cert), readFile(key), readFile(ca)]);
  return {
    server: ServerCredentials.createSsl(
      caPem,
      [{ cert_chain: certPem, private_key: keyPem }],
      true,
    ),
    client: ChannelCredentials.createSsl(caPem, keyPem, certPem),
    isSecure: true,
  };
}
