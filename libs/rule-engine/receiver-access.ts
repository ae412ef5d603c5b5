import {
  Severity,
  type BasicAuth,
  type ClientCertificate,
  type Header,
  type Receiver,
  type SecretReference,
} from '@auditing/proto/rule';
import type { Report } from './report';
import { ObjectReader } from './resource-reader';

/** How a receiver knows us. */
export type ReceiverAccess = Pick<
  Receiver,
  'bearerToken' | 'basicAuth' | 'clientCertificate' | 'signingKey' | 'headers'
>;

/** What `config` of a receiver may have of it. */
export const ACCESS_KEYS = [
  'bearerToken',
  'basicAuth',
  'clientCertificate',
  'signingKey',
  'headers',
] as const;

/** A name as of RFC 9110. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** A value that is one line of visible text. */
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;
/** These belong to the connection, or are written by the sender itself. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** The sender's own headers begin so. */
const OWN_PREFIX = 'auditing-';
/** Names of Secrets and of their entries: no path leads out of the folder of secrets. */
const SECRET_PART = /^(?!\.\.?$)[-._a-zA-Z0-9]{1,253}$/;

/**
 * Reads how a receiver is to know us.
 *
 * @param config - `config` of a receiver
 * @param type - its type
 * @returns undefined, with the error reported, if it says nonsense: without its secret the receiver would not take an alert
 */
export function readAccess(config: ObjectReader, type: string): ReceiverAccess | undefined {
  const { report } = config;
  const before = errorCount(report);
  const access: ReceiverAccess = {
    bearerToken: readSecret(config, 'bearerToken'),
    basicAuth: readBasicAuth(config),
    clientCertificate: readClientCertificate(config),
    signingKey: readSecret(config, 'signingKey'),
    headers: readHeaders(config),
  };
  if (access.bearerToken && access.basicAuth) {
    report.error(config.path, 'expected bearerToken or basicAuth, found both');
  }
  if (access.signingKey && type === 'alertmanager') {
    report.warn(config.at('signingKey'), 'Alertmanager checks no signature; not used');
  }
  return errorCount(report) === before ? access : undefined;
}

function errorCount({ diagnostics }: Report): number {
  return diagnostics.filter(({ severity }) => severity === Severity.ERROR).length;
}

function readSecret(of: ObjectReader, field: string): SecretReference | undefined {
  if (!of.has(field)) return undefined;
  const reader = of.child(field);
  reader.allowOnly(['file', 'secret']);
  const file = reader.text('file');
  if ((file !== '') === reader.has('secret')) {
    const found = file === '' ? 'neither' : 'both';
    reader.report.error(reader.path, `expected file, or secret with name and key, found ${found}`);
    return undefined;
  }
  if (file !== '') {
    if (file.split('/').every((part) => SECRET_PART.test(part))) return { file, secret: undefined };
    const message = `expected a path below the folder of secrets, such as team/token, found \`${file}\``;
    reader.report.error(reader.at('file'), message);
    return undefined;
  }
  const secret = reader.child('secret');
  const [name, key] = [secret.text('name'), secret.text('key')];
  if (SECRET_PART.test(name) && SECRET_PART.test(key)) return { file: '', secret: { name, key } };
  const message = `expected name and key of a Secret, found name \`${name}\`, key \`${key}\``;
  secret.report.error(secret.path, message);
  return undefined;
}

function readBasicAuth(config: ObjectReader): BasicAuth | undefined {
  if (!config.has('basicAuth')) return undefined;
  const { report } = config;
  const basic = config.child('basicAuth');
  const username = basic.text('username');
  const password = readSecret(basic, 'password');
  if (username === '' || username.includes(':')) {
    const message = `expected a user name without colon, found \`${username}\``;
    report.error(basic.at('username'), message);
  }
  if (!basic.has('password')) {
    report.error(basic.at('password'), 'expected where the password is');
  }
  return password && { username, password };
}

function readClientCertificate(config: ObjectReader): ClientCertificate | undefined {
  if (!config.has('clientCertificate')) return undefined;
  const both = config.child('clientCertificate');
  for (const key of ['certificate', 'privateKey']) {
    if (!both.has(key)) both.report.error(both.at(key), 'expected where its PEM is');
  }
  const certificate = readSecret(both, 'certificate');
  const privateKey = readSecret(both, 'privateKey');
  return certificate && privateKey && { certificate, privateKey };
}

function readHeaders(config: ObjectReader): Header[] {
  return config.list('headers').map((item, i) => {
    const reader = ObjectReader.of(item, `${config.at('headers')}[${i}]`, config.report);
    const [name, value] = [reader.text('name'), reader.text('value')];
    const valueFrom = readSecret(reader, 'valueFrom');
    checkName(reader, name);
    if (!HEADER_VALUE.test(value)) {
      reader.report.error(reader.at('value'), 'expected one line of visible ASCII characters');
    }
    if ((value !== '') === reader.has('valueFrom')) {
      const found = value === '' ? 'neither' : 'both';
      reader.report.error(reader.path, `expected value or valueFrom, found ${found}`);
    }
    return { name, value, valueFrom };
  });
}

function checkName(reader: ObjectReader, name: string): void {
  const lower = name.toLowerCase();
  if (!HEADER_NAME.test(name)) {
    reader.report.error(reader.at('name'), `expected the name of a header, found \`${name}\``);
  } else if (RESERVED_HEADERS.has(lower) || lower.startsWith(OWN_PREFIX)) {
    const instead = lower === 'authorization' ? ': use bearerToken or basicAuth' : '';
    reader.report.error(reader.at('name'), `\`${name}\` is not a header to be set${instead}`);
  }
}
