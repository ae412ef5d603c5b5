import { Level, Priority } from '@auditing/proto/event';
import { Receiver, type WebhookSettings } from '@auditing/proto/rule';
import { WEBHOOK_FIELDS } from './gen/resource-fields';
import { readSelector, type LabelSelector } from './label-selector';
import { ACCESS_KEYS, readAccess } from './receiver-access';
import { ObjectReader } from './resource-reader';
import type { Report } from './report';
import type { Resource } from './rule-set';
import { warnOfUnknownFields } from './unknown-fields';

/** What the Webhook resource says, with defaults filled in. */
export interface WebhookResource {
  readonly settings: WebhookSettings;
  /** Picks the Rule resources whose matches are archived. */
  readonly archiving: LabelSelector;
  /** Picks the Rule resources whose matches raise alerts. */
  readonly alerting: LabelSelector;
}

const LEVELS: ReadonlyMap<string, Level> = new Map([
  ['none', Level.NONE],
  ['metadata', Level.METADATA],
  ['request', Level.REQUEST],
  ['requestresponse', Level.REQUEST_RESPONSE],
]);

/** The Alertmanager that KubeSphere brings: where alerts go if a receiver of that type has no address. */
const DEFAULT_ALERTMANAGER = {
  namespace: 'kubesphere-monitoring-system',
  name: 'alertmanager-main',
  path: '',
  port: 9093,
  scheme: '',
};

const RECEIVER_TYPES = ['alertmanager', 'webhook', 'notificationmanager'];

/**
 * Reads a Webhook resource of either generation.
 *
 * @param resource - undefined gives the defaults
 */
export function readWebhookResource(
  resource: Resource | undefined,
  report: Report,
): WebhookResource {
  if (resource === undefined) {
    report.warn('', 'there is no Webhook resource: the defaults hold, with auditLevel Metadata');
  }
  const root = ObjectReader.of(resource, '', report);
  const spec = root.child('spec');
  warnOfUnknownFields(root.value('spec'), WEBHOOK_FIELDS, spec);
  warnOfArguments(spec);
  const policy = spec.child('auditSinkPolicy');
  return {
    settings: {
      auditLevel: readLevel(spec, resource !== undefined),
      k8sAuditingEnabled: readK8sAuditingEnabled(spec),
      archivingPriority: readThreshold(spec, 'archivingPriority', Priority.DEBUG),
      alertingPriority: readThreshold(spec, 'alertingPriority', Priority.WARNING),
      receivers: readReceivers(spec),
    },
    archiving: readSelector(policy.child('archivingRuleSelector'), 'archiving'),
    alerting: readSelector(policy.child('alertingRuleSelector'), 'alerting'),
  };
}

/** Those of the original are flags of another program. */
function warnOfArguments(spec: ObjectReader): void {
  if (!spec.has('args') || spec.list('args').length === 0) return;
  spec.report.warn(
    spec.at('args'),
    'passed on to the container, but our gateway reads no arguments: its settings are environment variables, in the ConfigMap kube-auditing-gateway',
  );
}

function readLevel(spec: ObjectReader, isThere: boolean): Level {
  const word = spec.text('auditLevel').trim();
  const level = LEVELS.get(word.toLowerCase());
  if (level === undefined && isThere) {
    const found = word === '' ? 'nothing' : `\`${word}\``;
    const message = `expected None, Metadata, Request or RequestResponse, found ${found}; taken as Metadata`;
    spec.report.warn(spec.at('auditLevel'), message);
  }
  return level ?? Level.METADATA;
}

function readK8sAuditingEnabled(spec: ObjectReader): boolean {
  const enabled = spec.flag('k8sAuditingEnabled');
  const misplaced = spec.has('auditing')
    ? spec.child('auditing').flag('k8sAuditingEnabled')
    : undefined;
  if (misplaced !== undefined) {
    const use = enabled === undefined ? 'taken all the same' : 'not used, as both are there';
    const message = `the manual misspells this path; write spec.k8sAuditingEnabled (${use})`;
    spec.report.warn(spec.at('auditing.k8sAuditingEnabled'), message);
  }
  return enabled ?? misplaced ?? false;
}

/** A threshold; `priority` of the first generation stands in for the archiving one alone, as it never alerted more. */
function readThreshold(
  spec: ObjectReader,
  key: 'archivingPriority' | 'alertingPriority',
  byDefault: Priority,
): Priority {
  const isOld = key === 'archivingPriority' && !spec.has(key) && spec.has('priority');
  if (isOld) {
    spec.report.warn(spec.at('priority'), 'taken as archivingPriority, which has replaced it');
  }
  const priority = spec.priority(isOld ? 'priority' : key);
  return priority === Priority.UNSPECIFIED ? byDefault : priority;
}

function readReceivers(spec: ObjectReader): Receiver[] {
  const receivers = new Map<string, Receiver>();
  for (const [i, item] of spec.list('receivers').entries()) {
    const reader = ObjectReader.of(item, `${spec.at('receivers')}[${i}]`, spec.report);
    const receiver = readReceiver(reader);
    if (receiver === undefined) continue;
    if (receivers.has(receiver.name)) {
      reader.report.warn(
        reader.path,
        `there are two receivers \`${receiver.name}\`; the last one counts`,
      );
    }
    receivers.set(receiver.name, receiver);
  }
  return [...receivers.values()];
}

function readReceiver(reader: ObjectReader): Receiver | undefined {
  const type = reader.text('type');
  if (!RECEIVER_TYPES.includes(type)) {
    const message = `expected ${RECEIVER_TYPES.join(', ')}, found \`${type}\`; this receiver gets nothing`;
    reader.report.error(reader.at('type'), message);
    return undefined;
  }
  const config = reader.child('config');
  warnOfUnknown(config);
  const access = readAccess(config, type);
  if (access === undefined) return undefined;
  const url = config.text('url');
  const isBare = type === 'alertmanager' && url === '' && !config.has('service');
  const service = isBare
    ? DEFAULT_ALERTMANAGER
    : config.has('service')
      ? readService(config.child('service'))
      : undefined;
  if (service === undefined && config.has('service') && url === '') return undefined;
  if (service === undefined && !isUrl(url, config)) return undefined;
  return Receiver.fromPartial({
    name: reader.text('name') || url || `${service?.namespace ?? ''}/${service?.name ?? ''}`,
    type,
    // The original prefers the service for Alertmanager and the url for the others.
    url: service !== undefined && type === 'alertmanager' ? '' : url,
    service: service !== undefined && (type === 'alertmanager' || url === '') ? service : undefined,
    caBundle: readCaBundle(config),
    ...access,
  });
}

/** Unknown fields are let through, as the API server does, but a misspelt one must not go unseen. */
function warnOfUnknown(config: ObjectReader): void {
  const known: readonly string[] = ['url', 'service', 'caBundle', ...ACCESS_KEYS];
  for (const key of config.keys()) {
    if (known.includes(key)) continue;
    config.report.warn(config.at(key), `expected ${known.join(', ')}; not used`);
  }
}

function isUrl(url: string, config: ObjectReader): boolean {
  if (/^https?:\/\/[^/]/.test(url) && URL.canParse(url)) return true;
  const found = url === '' ? 'neither' : `the url \`${url}\``;
  const message = `expected a url such as http://alertmanager:9093, or a service, found ${found}; this receiver gets nothing`;
  config.report.error(config.path, message);
  return false;
}

function readService(reader: ObjectReader): NonNullable<Receiver['service']> | undefined {
  const name = reader.text('name');
  const namespace = reader.text('namespace');
  const port = Number(reader.text('port') || '0');
  if (name === '' || namespace === '') {
    reader.report.error(reader.path, 'expected name and namespace of a Service');
    return undefined;
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    reader.report.error(
      reader.at('port'),
      `expected a port up to 65535, found \`${reader.text('port')}\``,
    );
    return undefined;
  }
  const scheme = reader.text('scheme').toLowerCase();
  if (!['', 'http', 'https'].includes(scheme)) {
    reader.report.error(
      reader.at('scheme'),
      `expected http or https, found \`${reader.text('scheme')}\``,
    );
    return undefined;
  }
  return { namespace, name, path: reader.text('path'), port, scheme };
}

/** PEM as in Kubernetes: in base64; or as it is. */
function readCaBundle(config: ObjectReader): Buffer {
  const text = config.text('caBundle').trim();
  if (text === '') return Buffer.alloc(0);
  const pem = text.startsWith('-----') ? text : Buffer.from(text, 'base64').toString('utf8');
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    const message =
      'expected certificates in PEM, in base64 or as they are; only the system’s own are trusted';
    config.report.error(config.at('caBundle'), message);
    return Buffer.alloc(0);
  }
  return Buffer.from(pem);
}
