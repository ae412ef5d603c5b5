import type { ServerUnaryCall } from '@grpc/grpc-js';

/** Who calls, as far as the transport knows. */
export interface Caller {
  /** Of `authorization: Bearer TOKEN`; undefined without one. */
  readonly token: string | undefined;
  /**
   * Common and alternative names of a client certificate that is signed by our CA and valid now; empty without one. Names
   * with a star are left out: they stand for many, so they prove nothing.
   */
  readonly names: readonly string[];
  /** Address and port of the other end, one for each connection; undefined where there is none. */
  readonly connection?: string | undefined;
}

/** A call whose work has not begun. */
export interface AdmittedCall {
  /** Such as `/auditing.v1.ArchiveService/Search`. */
  readonly path: string;
  readonly caller: Caller;
  /** The implementation of the service. */
  readonly api: object;
}

/**
 * Lets a call in, and gives what its caller may use: the implementation itself, or one that shows less.
 *
 * Rejects with RpcError UNAUTHENTICATED or PERMISSION_DENIED.
 */
export type Admit = (call: AdmittedCall) => Promise<object>;

const BEARER = /^bearer +(.+)$/i;
/** One name of a certificate as node writes it: in quotes, as JSON, if it holds anything that could be taken for another. */
const ALTERNATIVE_NAME = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g;

/** The caller of a gRPC call. */
export function callerOf(
  call: Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'getAuthContext' | 'getPeer'>,
): Caller {
  // grpc-js gives the certificate only if it was verified against our CA.
  const certificate = call.getAuthContext().sslPeerCertificate;
  const names =
    certificate === undefined
      ? []
      : [
          ...[certificate.subject.CN ?? []].flat(),
          ...alternativeNames(certificate.subjectaltname ?? ''),
        ];
  return {
    token: bearerToken(call.metadata.get('authorization')[0]?.toString()),
    names: names.filter((name) => name !== '' && !name.includes('*')),
    connection: call.getPeer(),
  };
}

/** The token of an `Authorization` header; undefined without one. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1]?.trim();
}

/** `auditing-gateway` of `DNS:auditing-gateway, IP Address:127.0.0.1`. */
function alternativeNames(text: string): string[] {
  return [...text.matchAll(ALTERNATIVE_NAME)].map(([, , name = '']) =>
    name.startsWith('"') ? String(JSON.parse(name)) : name,
  );
}
