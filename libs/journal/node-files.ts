import type { Files } from './files';

/** The files of this machine. */
export declare const nodeFiles: Files;
