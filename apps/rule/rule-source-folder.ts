import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Severity, type Diagnostic } from '@auditing/proto/rule';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';
import { resourceDocuments } from './resource-documents';
import type { ResourcePart, RuleSource, Snapshot } from './rule-source';

/**
 * How often the folder is looked at: well within a second. Looking costs about a millisecond, and works where change
 * notices do not: on network file systems and on the symbolic links of a mounted ConfigMap.
 */
const LOOK_EVERY_MS = 700;
/** A change is read when two looks in a row see the same, so that an editor has finished: the second comes soon. */
const LOOK_AGAIN_MS = 150;
/** Kubernetes keeps no resource over 1.5 MiB; a file may hold a few. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;
/** A folder this deep is not meant for rules: the setting points somewhere else. */
const MAX_DEPTH = 8;
const FILE_NAME = /\.(ya?ml|json)$/i;

/** One file with resources, as far as a look at its folder tells. */
interface FoundFile {
  /** Relative to the folder, with `/`. */
  readonly name: string;
  readonly path: string;
  readonly byteCount: number;
  /** Changes whenever the content may have changed. */
  readonly mark: string;
}

/** What was read of a file: kept until the file changes. */
interface ReadFile {
  readonly mark: string;
  /** Of the last version that could be read. */
  readonly good: ResourcePart | undefined;
  /** Of the version that is there now. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Resources out of a folder of YAML and JSON files, sub-folders included. A file that cannot be read keeps the resources
 * that it had, and the diagnostics say what is wrong and where.
 *
 * @param lastGood what an earlier run read, by file: for files that are broken now
 */
export function ruleSourceFolder(
  folder: string,
  log: Logger,
  lastGood: Readonly<Record<string, ResourcePart>>,
): RuleSource {
  const known = new Map<string, ReadFile>(
    Object.entries(lastGood).map(([name, good]) => [name, { mark: '', good, diagnostics: [] }]),
  );
  let readMarks = '';

  const read = async (found: readonly FoundFile[]): Promise<Snapshot> => {
    readMarks = marksOf(found);
    const names = new Set(found.map(({ name }) => name));
    for (const name of known.keys()) if (!names.has(name)) known.delete(name);
    for (const file of found) {
      const before = known.get(file.name);
      if (before?.mark !== file.mark) known.set(file.name, await readOne(file, before?.good));
    }
    return snapshotOf(known);
  };

  return {
    read: async () => read(await look(folder)),
    async *changes(signal) {
      let previousMarks = readMarks;
      for (;;) {
        const isChanging = previousMarks !== readMarks && previousMarks !== UNREADABLE;
        await wait(isChanging ? LOOK_AGAIN_MS : LOOK_EVERY_MS, signal);
        let found: readonly FoundFile[];
        try {
          found = await look(folder);
        } catch (error) {
          if (previousMarks !== UNREADABLE)
            log.error({ err: error, folder }, 'rules cannot be read');
          previousMarks = UNREADABLE;
          continue;
        }
        const marks = marksOf(found);
        if (marks !== readMarks && marks === previousMarks) yield await read(found);
        previousMarks = marks;
      }
    },
  };
}

const UNREADABLE = 'unreadable';

function marksOf(found: readonly FoundFile[]): string {
  return found
    .map(({ name, mark }) => `${name} ${mark}`)
    .sort()
    .join('\n');
}

async function readOne(file: FoundFile, good: ResourcePart | undefined): Promise<ReadFile> {
  const { name, mark } = file;
  const refused = (message: string): ReadFile => ({
    mark,
    good,
    diagnostics: [fileError(name, message)],
  });
  if (file.byteCount > MAX_FILE_BYTES) {
    return refused(`the file has ${file.byteCount} bytes; up to ${MAX_FILE_BYTES} are read`);
  }
  let text: string;
  try {
    text = await readFile(file.path, 'utf8');
  } catch (error) {
    return refused(`the file cannot be read: ${String(error)}`);
  }
  if (text.trim() === '' && good) {
    return refused(
      'the file is empty, so what it held stays in force; delete the file to remove that',
    );
  }
  const documents = resourceDocuments(text, name);
  const isBad = documents.diagnostics.some(({ severity }) => severity === Severity.ERROR);
  const { rules, webhooks, diagnostics } = documents;
  return { mark, good: isBad ? good : { rules, webhooks }, diagnostics };
}

/** By name, so that the outcome does not depend on the order of a directory. */
function snapshotOf(known: ReadonlyMap<string, ReadFile>): Snapshot {
  const files = [...known].sort(([one], [other]) => (one < other ? -1 : 1));
  return {
    parts: Object.fromEntries(files.flatMap(([name, { good }]) => (good ? [[name, good]] : []))),
    diagnostics: files.flatMap(([, { diagnostics }]) => diagnostics),
  };
}

function fileError(name: string, message: string): Diagnostic {
  return {
    severity: Severity.ERROR,
    resource: name,
    path: '',
    line: 0,
    column: 0,
    message,
    excerpt: '',
  };
}

/** The files below a folder. What vanishes while it looks is not there; a folder that is not there has none. */
async function look(folder: string): Promise<readonly FoundFile[]> {
  const found: FoundFile[] = [];
  const seen = new Set<string>();
  const walk = async (path: string, depth: number): Promise<void> => {
    const real = await realpath(path);
    if (depth > MAX_DEPTH || seen.has(real)) return;
    seen.add(real);
    for (const name of await readdir(path)) {
      // A mounted ConfigMap has its files in `..data` and links to them beside it; editors hide their own so, too.
      if (!name.startsWith('.')) await visit(join(path, name), depth).catch(ignoreMissing);
    }
  };
  const visit = async (path: string, depth: number): Promise<void> => {
    const info = await stat(path);
    if (info.isDirectory()) await walk(path, depth + 1);
    else if (info.isFile() && FILE_NAME.test(path)) {
      const mark = [info.ino, info.size, info.mtimeMs, info.ctimeMs].join(':');
      found.push({ name: relative(folder, path), path, byteCount: info.size, mark });
    }
  };
  await walk(folder, 0).catch(ignoreMissing);
  return found;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT' && error.code !== 'ELOOP') throw error;
}
