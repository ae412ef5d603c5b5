import { wait } from '@auditing/service/wait';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { ruleMetrics } from './metrics';
import { RuleSetKeeper } from './rule-set-keeper';
import { RuleSets } from './rule-sets';
import { hashOf, type StoredSet } from './stored-set';

const HOUR_MS = 3_600_000;

/** Opened once by one, waited for by others. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

test('whoever stops waits until a set of another replica is on the disk', async () => {
  const resources = { rules: [] };
  const theirs: StoredSet = { generation: 7, hash: hashOf(resources), resources };
  const saving = gate();
  const written = gate();
  const ruleSets = new RuleSets();
  const keeper = new RuleSetKeeper({
    source: {
      read: () => Promise.resolve({ parts: {}, diagnostics: [] }),
      // eslint-disable-next-line require-yield
      async *changes(signal) {
        await wait(HOUR_MS, signal);
      },
    },
    cache: {
      peek: () => Promise.resolve(theirs),
      load: () => Promise.resolve(theirs),
      write: () => Promise.resolve(false),
      follow: (onMaybeChanged, signal) => {
        onMaybeChanged();
        return wait(HOUR_MS, signal).catch(() => undefined);
      },
      close: () => undefined,
    },
    disk: {
      stored: undefined,
      parts: {},
      saveParts: () => Promise.resolve(),
      async saveSet() {
        saving.open();
        await written.opened;
      },
    },
    ruleSets,
    webhookName: 'kube-auditing-webhook',
    metrics: ruleMetrics(new Registry(), () => ruleSets.rules()),
    log: pino({ level: 'silent' }),
  });
  const stopping = new AbortController();
  let isOver = false;
  const following = keeper
    .follow(stopping.signal)
    .catch(() => undefined)
    .then(() => (isOver = true));
  await saving.opened;
  stopping.abort();
  await new Promise((resolve) => setImmediate(resolve));
  expect(isOver).toBe(false);
  written.open();
  await following;
  expect(ruleSets.inForce?.stored.generation).toBe(7);
});
