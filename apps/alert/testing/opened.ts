import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AlertServiceService } from '@auditing/proto/alert';
import type { Api } from '@auditing/service/rpc';
import { readSettings } from '@auditing/service/settings';
import { testRuntime, type TestRuntime } from '@auditing/service/testing/runtime';
import { SETTINGS, type AlertConfig } from '../config';
import { openAlert } from '../service';
import type { RuleStub } from './rule-stub';

/** An alert service in this process. */
export interface Opened {
  readonly api: Api<typeof AlertServiceService>;
  readonly ready: () => Promise<void>;
  readonly runtime: TestRuntime;
  readonly log: Record<string, unknown>[];
  readonly stop: () => Promise<void>;
}

/** Opens one over a data folder, with further settings. */
export async function opened(
  dataDir: string,
  rule: RuleStub,
  env: Readonly<Record<string, string>> = {},
): Promise<Opened> {
  const log: Record<string, unknown>[] = [];
  const runtime = testRuntime((line) => log.push(line));
  const config = readSettings<AlertConfig>(SETTINGS, { AUDITING_DATA_DIR: dataDir, ...env });
  const { api, ready } = await openAlert({ ...runtime, config }, { rule: rule.api });
  return { api, ready, runtime, log, stop: () => runtime.stop() };
}

/** A folder for one test. */
export interface Scratch {
  readonly path: string;
  readonly remove: () => void;
}

export function scratchFolder(): Scratch {
  const path = mkdtempSync(join(tmpdir(), 'alert-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
