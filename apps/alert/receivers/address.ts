import type { Receiver as ReceiverSpec } from '@auditing/proto/rule';

/** What a type of receiver means where the resource says nothing. */
export interface AddressDefaults {
  /** Port of a Service reference without one; 0: the scheme's. */
  readonly port: number;
  /** Path of a request where the resource has none. */
  readonly path: string;
  /** True if a url may be several, parted by commas. */
  readonly several?: boolean;
  /** Used if there is neither a url nor a Service. */
  readonly fallbackUrl?: string;
}

/** The addresses a receiver has: of its Service, else of its url. Throws Error if there is none, or it is none. */
export function addressesOf(spec: ReceiverSpec, defaults: AddressDefaults): readonly URL[] {
  if (spec.service !== undefined) {
    const { namespace, name, path, port } = spec.service;
    const scheme = spec.service.scheme || (isTls(spec) ? 'https' : 'http');
    if (!name) throw new Error(`receiver ${spec.name}: config.service.name is missing`);
    const host = namespace ? `${name}.${namespace}.svc` : name;
    const portText = (port || defaults.port) > 0 ? `:${port || defaults.port}` : '';
    return [parse(`${scheme}://${host}${portText}${slashed(path || defaults.path)}`, spec)];
  }
  const text = spec.url || defaults.fallbackUrl || '';
  const texts = (defaults.several ? text.split(',') : [text]).map((one) => one.trim());
  const urls = texts.filter((one) => one !== '').map((one) => parse(one, spec));
  if (urls.length === 0) {
    throw new Error(`receiver ${spec.name}: expected config.url or config.service, got neither`);
  }
  return urls;
}

/** The url as it may be logged: without user name, password and query. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** A certificate is given for no other purpose. */
function isTls({ caBundle, clientCertificate }: ReceiverSpec): boolean {
  return caBundle.length > 0 || clientCertificate !== undefined;
}

function parse(text: string, { name }: ReceiverSpec): URL {
  // The text is not repeated in errors: it may hold a password.
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new Error(`receiver ${name}: expected a url that begins with http:// or https://`);
  }
  return url;
}

function slashed(path: string): string {
  return path.startsWith('/') || path === '' ? path : `/${path}`;
}
