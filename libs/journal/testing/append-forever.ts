import { openJournal } from '../open-journal';

/*
 * The process that kill.test.ts kills: appends numbers to the journal in the folder it is given, several at a time,
 * and prints each number once its append was acknowledged.
 */
async function appendForever(directory: string, first: number): Promise<void> {
  const journal = await openJournal({ directory, segmentBytes: 100_000 });
  let next = first;
  const appendOne = async (): Promise<void> => {
    const number = next++;
    await journal.append([Buffer.alloc(20 + (number % 5000), String(number).padStart(20, '0'))]);
    process.stdout.write(`${number}\n`);
  };
  for (;;) await Promise.all(Array.from({ length: 1 + (next % 7) }, appendOne));
}

void appendForever(process.argv[2] ?? '', Number(process.argv[3]));
