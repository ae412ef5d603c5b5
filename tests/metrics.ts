import type { Stack } from './stack';

/** The sum of all series of a metric, as /metrics of an app says it. */
export async function metric(adminUrl: string, name: string): Promise<number> {
  const response = await fetch(new URL('/metrics', adminUrl), {
    // One that is kept open may be closed just when it is used again.
    headers: { connection: 'close' },
  });
  const lines = (await response.text()).split('\n');
  return lines
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
}

/** Waits until the gateway has nothing left to bring to the archive. */
export async function drained(stack: Stack): Promise<void> {
  const admin = stack.address('admin');
  for (let idlePolls = 0; idlePolls < 3;) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const oldest = await metric(admin, 'auditing_gateway_oldest_unarchived_seconds');
    const inFlight = await metric(admin, 'auditing_gateway_batches_in_flight');
    idlePolls = oldest === 0 && inFlight === 0 ? idlePolls + 1 : 0;
  }
}
