import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
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

/** How often files are looked at. A change is taken when it has been there for two looks: two files never change at once. */
const LOOK_EVERY_MS = 300;
const DAY_MS = 86_400_000;

/** Reads (or makes) the certificates; throws if they cannot be used. */
export async function openTls(settings: TlsSettings, log: Logger): Promise<Tls> {
  let inForce = await stamp(settings);
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
    watch(onChange) {
      let seen = inForce;
      const look = async (): Promise<void> => {
        const now = await stamp(settings);
        const settled = now === seen;
        seen = now;
        if (!settled || now === inForce) return;
        // Also if it cannot be used: it is reported once, not at every look.
        inForce = now;
        const before = loaded;
        loaded = await load(settings);
        if (sameContext(before.context, loaded.context)) return;
        onChange(loaded.context);
        log.info({ notAfter: expiry(loaded.context) }, 'certificates replaced');
      };
      const timer = everyInTurn(LOOK_EVERY_MS, look, (error) =>
        log.error({ err: error }, 'new certificates cannot be used; the old ones stay in force'),
      );
      return timer;
    },
  };
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

/** Changes whenever the certificates may have changed. */
async function stamp({ tls, tlsCert, tlsKey, clientCa }: TlsSettings): Promise<string> {
  const files = [...(tls === 'files' ? [tlsCert, tlsKey] : []), ...(clientCa ? [clientCa] : [])];
  const stamps = await Promise.all(files.map(stampOfFile));
  // A self-signed certificate is looked at once a day, to be renewed before it expires.
  const day = tls === 'self-signed' ? [Math.floor(Date.now() / DAY_MS)] : [];
  return [...stamps, ...day].join(' ');
}

async function stampOfFile(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs}/${size}/${ino}`;
  } catch {
    return 'missing';
  }
}

function sameContext(a: SecureContextOptions, b: SecureContextOptions): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca;
}

function expiry({ cert }: SecureContextOptions): Date {
  return new Date(typeof cert === 'string' ? new X509Certificate(cert).validTo : NaN);
}

/** Runs a step again and again, never two at a time; gives a function that stops it. */
function everyInTurn(
  ms: number,
  step: () => Promise<void>,
  onError: (error: unknown) => void,
): () => void {
  let running = false;
  const timer = setInterval(() => {
    if (running) return;
    running = true;
    step()
      .catch(onError)
      .finally(() => (running = false));
  }, ms);
  timer.unref();
  return () => clearInterval(timer);
}
