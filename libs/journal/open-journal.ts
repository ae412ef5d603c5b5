import type { Journal, JournalOptions } from './journal';

/** Opens a journal, or begins one if the folder is empty: see JournalOptions. */
export declare function openJournal(options: JournalOptions): Promise<Journal>;
