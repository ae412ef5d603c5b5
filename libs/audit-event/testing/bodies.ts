import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** One recorded body. */
export interface RecordedBody {
  /** `folder/file`. */
  readonly name: string;
  readonly folder: string;
  readonly bytes: Buffer;
}

/** A part of the corpus, kept with the code. */
export const TESTDATA = join(__dirname, '../testdata');
/** All of it, where it is at hand. */
export const CORPUS = join(__dirname, '../../../../shared/corpus');

/** The recorded bodies in the folders of a folder; none if it is not there. */
export function readBodies(root: string): RecordedBody[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name: folder }) =>
      readdirSync(join(root, folder))
        .filter((file) => file.endsWith('.gz'))
        .map((file) => ({
          name: `${folder}/${file}`,
          folder,
          bytes: gunzipSync(readFileSync(join(root, folder, file))),
        })),
    );
}
