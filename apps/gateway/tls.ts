import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { fileStamp, watchFiles } from '@auditing/service/watch-files';
import type { Logger } from 'pino';
import { readKeyPair } from './key-pair';
import { selfSigned } from './tls-self-signed';

/** Where certificates come from. */
export interface TlsSettings {
  readonly tls: 'self-signed' | 'files';
  /** For `files`. */
  readonly tlsCert: string;
  readonly tlsKey: string;
  /** For `self-signed`: names and addresses; the first is the common name. */
  readonly hosts: readonly string[];
  /** For `self-signed`: the folder that keeps what was made. */
  readonly directory: string;
  /** File with the CAs of client certificates; undefined: none is asked for. */
  readonly clientCa: string | undefined;
}

/** Certificates, kept up to date. */
export interface Tls {
  /** For the server, as read last. */
  readonly context: SecureContextOptions;
  /** The CA that senders must trust, PEM; undefined for `files`. */
  readonly caCert: string | undefined;
  /** When the certificate in force ends. */
  readonly notAfter: Date;
  /** Calls back whenever other certificates are there, until the given function is called. */
  watch(onChange: (context: SecureContextOptions) => void): () => void;
}

interface Loaded {
  readonly context: SecureContextOptions;
  readonly caCert: string | undefined;
}

/** A self-signed certificate is looked at once a day, to be renewed before it expires. */
const RENEW_EVERY_MS = 86_400_000;

/** Reads (or makes) the certificates; throws if they cannot be used. */
export async function openTls(settings: TlsSettings, log: Logger): Promise<Tls> {
  const paths = pathsOf(settings);
  const seen = await fileStamp(paths);
  let loaded = await load(settings);
  return {
    get context() {
      return loaded.context;
    },
    get caCert() {
      return loaded.caCert;
    },
    get notAfter() {
      return expiry(loaded.context);
    },
    watch(callBack) {
      const onChange = async (): Promise<void> => {
        const before = loaded;
        loaded = await load(settings);
        if (sameContext(before.context, loaded.context)) return;
        callBack(loaded.context);
        log.info({ notAfter: expiry(loaded.context) }, 'certificates replaced');
      };
      const onError = (error: unknown): void =>
        log.error({ err: error }, 'new certificates cannot be used; the old ones stay in force');
      const endWatch = watchFiles(paths, seen, { onChange, onError });
      const renewal = setInterval(() => void onChange().catch(onError), RENEW_EVERY_MS).unref();
      return () => {
        endWatch();
        clearInterval(renewal);
      };
    },
  };
}

/** The files that others write. */
function pathsOf({ tls, tlsCert, tlsKey, clientCa }: TlsSettings): string[] {
  return [...(tls === 'files' ? [tlsCert, tlsKey] : []), ...(clientCa ? [clientCa] : [])];
}

async function load(settings: TlsSettings): Promise<Loaded> {
  const { directory, hosts, clientCa } = settings;
  const ca = clientCa === undefined ? {} : { ca: await readFile(clientCa, 'utf8') };
  if (settings.tls === 'files') {
    return checked({ ...(await readKeyPair(settings.tlsCert, settings.tlsKey)), ...ca }, undefined);
  }
  const { server, caCert } = await selfSigned({ directory, hosts, now: new Date() });
  return checked({ ...server, ...ca }, caCert);
}

/** Throws if OpenSSL does not take it: later, in a running server, that would end every handshake. */
function checked(context: SecureContextOptions, caCert: string | undefined): Loaded {
  createSecureContext(context);
  return { context, caCert };
}

function sameContext(a: SecureContextOptions, b: SecureContextOptions): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca;
}

function expiry({ cert }: SecureContextOptions): Date {
  return new Date(typeof cert === 'string' ? new X509Certificate(cert).validTo : NaN);
}
