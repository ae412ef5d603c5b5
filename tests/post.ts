import { once } from 'node:events';
import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';

/** How a body was answered. */
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

const ANSWER_TIMEOUT_MS = 60_000;
/** A busy machine takes longer to start a killed process than the pause until the next kill. */
const TAKEN_TIMEOUT_MS = 300_000;
const AGAIN_AFTER_MS = 50;

/**
 * Posts as kube-apiserver does: Content-Length, and again what is answered 503, as the gateway does on a busy machine. The
 * certificate is not checked here.
 */
export async function post(
  url: string,
  body: Buffer | string,
  headers: OutgoingHttpHeaders = {},
): Promise<Answer> {
  const giveUpAt = Date.now() + TAKEN_TIMEOUT_MS;
  for (;;) {
    const answer = await send(url, body, { method: 'POST', headers });
    if (answer.status !== 503 || Date.now() > giveUpAt) return answer;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
  }
}

/** Any other request. */
export async function send(
  url: string,
  body: Buffer | string,
  { method, headers }: { method: string; headers: OutgoingHttpHeaders },
): Promise<Answer> {
  const request = (url.startsWith('https:') ? https : http).request(url, {
    method,
    rejectUnauthorized: false,
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      ...headers,
    },
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
  };
}

/** Posts like kube-apiserver until the answer is 200: a broken connection or a 5xx is tried again. */
export async function postUntilTaken(url: string, body: Buffer): Promise<void> {
  const giveUpAt = Date.now() + TAKEN_TIMEOUT_MS;
  for (;;) {
    const answer = await post(url, body).catch(() => undefined);
    if (answer?.status === 200) return;
    if (Date.now() > giveUpAt)
      throw new Error(`never taken; last answer: ${answer?.body ?? 'none'}`);
    await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
  }
}

/** Runs a task for every item, some at once, in order of the list. */
export async function eachAtOnce<Item>(
  items: readonly Item[],
  atOnce: number,
  task: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await task(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
