// Posts bodies. What this costs is not measured: it happens in the process of the benchmark itself.
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where bodies go, over connections that stay open. */
export class Sender {
  #url;
  #agent;
  #module;

  constructor(url, connections) {
    this.#url = new URL(url);
    this.#module = this.#url.protocol === 'https:' ? https : http;
    this.#agent = new this.#module.Agent({
      keepAlive: true,
      maxSockets: connections,
      // The certificates are made for this run; whom we talk to is not in question.
      rejectUnauthorized: false,
    });
  }

  /** Posts a body; resolves with the status. */
  post(body) {
    return new Promise((resolve, reject) => {
      const request = this.#module.request(this.#url, {
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

/** As fast as answers come: `count` bodies over `connections`. Throws unless all are answered 200. */
export async function closedLoop(sender, workload, { count, connections }) {
  let left = count;
  const work = async () => {
    while (left > 0) {
      left -= 1;
      const status = await sender.post(workload.next());
      if (status !== 200) throw new Error(`a body was answered ${status}`);
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
    const sent = sender.post(body).then((status) => {
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
