import { stat } from 'node:fs/promises';

/** How often files are looked at. A change is taken when it has been there for two looks: two files never change at once. */
const LOOK_EVERY_MS = 300;

/** What to do when files change. */
export interface FileChange {
  /** Reads them anew. Another change waits until it is done. */
  readonly onChange: () => Promise<void>;
  /** Told what `onChange` rejected with, once for each change. */
  readonly onError: (error: unknown) => void;
}

/**
 * Watches files by looking at them: notifications do not come through the links of mounted Secrets. A file that is
 * missing is a change too.
 *
 * @param seen what `fileStamp` gave before they were read last.
 * @returns a function that ends it.
 */
export function watchFiles(
  paths: readonly string[],
  seen: string,
  { onChange, onError }: FileChange,
): () => void {
  let inForce = seen;
  let last = seen;
  let looking = false;
  const look = async (): Promise<void> => {
    const now = await fileStamp(paths);
    const settled = now === last;
    last = now;
    if (!settled || now === inForce) return;
    // Also if they cannot be used: that is told once, not at every look.
    inForce = now;
    await onChange();
  };
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look()
      .catch(onError)
      .finally(() => (looking = false));
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Changes whenever one of the files does. */
export async function fileStamp(paths: readonly string[]): Promise<string> {
  const stamps = await Promise.all(
    paths.map(async (path) => {
      try {
        const { mtimeMs, size, ino } = await stat(path);
        return `${mtimeMs}/${size}/${ino}`;
      } catch {
        return 'missing';
      }
    }),
  );
  return stamps.join(' ');
}
