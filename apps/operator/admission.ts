import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Resource } from '@auditing/rule-engine/rule-set';
import type { Logger } from 'pino';
import type { KeyPair } from '@auditing/service/certificates';
import type { OperatorMetrics } from './metrics';
import { metadataOf, review, type ReviewAnswer, type ReviewContext } from './review';
import type { Watched } from './watch';

export const ADMISSION_PATH = '/validate';
/** Object and old object have 1.5 MiB each at most, and JSON in JSON is longer. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** The API server waits five seconds; a connection that says nothing is closed. */
const REQUEST_TIMEOUT_MS = 10_000;

/** What the admission webhook works with. */
export interface AdmissionParts {
  readonly watched: Pick<Watched, 'rules' | 'webhooks'>;
  readonly webhookName: string;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
}

/** The admission webhook, listening. */
export interface Admission {
  /** `host:port`. */
  readonly address: string;
  /** The certificate that it shows from now on; before the first one no connection succeeds. */
  readonly use: (pair: KeyPair) => void;
  readonly close: () => Promise<void>;
}

interface AdmissionRequest {
  readonly uid?: string;
  readonly kind?: { readonly kind?: string };
  readonly object?: Resource;
  readonly oldObject?: Resource | null;
}

/** Serves `POST /validate`, an AdmissionReview of version v1. */
export async function serveAdmission(listen: string, parts: AdmissionParts): Promise<Admission> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void answer(parts, request, response);
  });
  const colon = listen.lastIndexOf(':');
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, '');
  server.listen(Number(listen.slice(colon + 1)), host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `${listen.slice(0, colon)}:${port}`,
    use: ({ cert, key }) => server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' }),
    close: () => close(server),
  };
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  await closed;
}

async function answer(
  parts: AdmissionParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const end = (code: number, body: object): void => {
    response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (request.method !== 'POST' || !request.url?.startsWith(ADMISSION_PATH)) {
    end(404, { error: `expected POST ${ADMISSION_PATH}` });
    return;
  }
  try {
    const { request: asked = {} } = JSON.parse(await bodyOf(request)) as {
      request?: AdmissionRequest;
    };
    end(200, {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: asked.uid ?? '', ...judge(asked, parts) },
    });
  } catch (error) {
    // The failure policy lets the resource pass.
    parts.log.warn({ err: error }, 'admission not judged');
    end(400, { error: 'expected an AdmissionReview of admission.k8s.io/v1' });
  }
}

function judge(
  { kind, object, oldObject }: AdmissionRequest,
  { watched, webhookName, metrics, log }: AdmissionParts,
): object {
  const name = kind?.kind === 'Webhook' ? 'Webhook' : 'Rule';
  if (object === undefined) return { allowed: true };
  let found: ReviewAnswer;
  try {
    const asked = { kind: name, resource: object, before: oldObject ?? undefined } as const;
    found = review(asked, contextOf(watched, webhookName, object));
  } catch (error) {
    metrics.admitted(name, 'failed');
    log.error({ err: error }, 'admission not judged');
    return { allowed: true, warnings: ['kube-auditing could not check this resource'] };
  }
  const { refusal, warnings } = found;
  metrics.admitted(name, refusal === undefined ? 'allowed' : 'refused');
  return {
    allowed: refusal === undefined,
    ...(warnings.length > 0 && { warnings }),
    ...(refusal !== undefined && { status: { code: 422, reason: 'Invalid', message: refusal } }),
  };
}

/** All Rules but the one under review, and the Webhook that they follow. */
function contextOf(
  { rules, webhooks }: AdmissionParts['watched'],
  webhookName: string,
  reviewed: Resource,
): ReviewContext {
  const { name, namespace } = metadataOf(reviewed);
  const others = [...rules.objects().values()].filter(
    ({ metadata }) => metadata.name !== name || metadata.namespace !== namespace,
  );
  return {
    rules: others as unknown as Resource[],
    webhook: webhooks.objects().get(webhookName) as unknown as Resource | undefined,
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    byteCount += chunk.length;
    if (byteCount > MAX_BODY_BYTES) throw new RangeError(`more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
