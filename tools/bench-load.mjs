// Posts bodies. What this costs is not measured: it happens in the process of the benchmark itself.
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where bodies go, over connections that stay open. */
export class Sender {
  #urls;
  #next = 0;
  #agent;
  #module;

  /** @param urls one address, or several that take turns */
  constructor(urls, connections) {
    this.#urls = [urls].flat().map((url) => new URL(url));
    this.#module = this.#urls[0].protocol === 'https:' ? https : http;
    this.#agent = new this.#module.Agent({
      keepAlive: true,
      maxSockets: connections,
      // The certificates are made for this run; whom we talk to is not in question.
      rejectUnauthorized: false,
    });
  }

  /** Posts a body; resolves with the status. */
  post(body) {
    const url = this.#urls[this.#next++ % this.#urls.length];
    return new Promise((resolve, reject) => {
      const request = this.#module.request(url, {
        method: 'POST',
        agent: this.#agent,
        headers: { 'Content-Type': 'application/json', 'Content-Length': body.length },
      });
      request.once('error', reject);
      request.once('response', (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode));
      });
      request.end(body);
    });
  }

  close() {
    this.#agent.destroy();
  }
}

/** So often is a body sent again that was answered 503: on a busy machine the answer may take longer than it may. */
const POSTS_MAX = 10;

/** As fast as answers come: `count` bodies over `connections`. Throws unless all are answered 200 in the end. */
export async function closedLoop(sender, workload, { count, connections }) {
  let left = count;
  const work = async () => {
    while (left > 0) {
      left -= 1;
      const body = workload.next();
      let status = 0;
      for (let posts = 0; status !== 200; posts += 1) {
        if (posts === POSTS_MAX) throw new Error(`a body was answered ${status}`);
        status = await sender.post(body);
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
}

/**
 * At a steady rate, whatever the answers: latencies in milliseconds, from the time a body was due, and how many were not
 * answered 200.
 */
export async function openLoop(sender, nextBody, { bodiesPerSecond, seconds, onRefused }) {
  const count = Math.round(bodiesPerSecond * seconds);
  const begun = performance.now();
  const latencies = [];
  let refused = 0;
  const pending = new Set();
  for (let i = 0; i < count; i += 1) {
    const due = begun + (i * 1000) / bodiesPerSecond;
    const body = nextBody(i);
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    // A broken connection is a refusal too.
    const answered = sender.post(body).catch(() => undefined);
    const sent = answered.then((status) => {
      latencies.push(performance.now() - due);
      if (status === 200) return;
      refused += 1;
      onRefused?.();
    });
    pending.add(sent);
    void sent.finally(() => pending.delete(sent));
  }
  await Promise.all(pending);
  return { latencies, refused };
}
