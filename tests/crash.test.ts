import { differences, NO_DIFFERENCES, settledArchive } from './archive-reader';
import { keptEvents, recordedBodies, SAMPLES_FOLDER, variant, type RecordedBody } from './corpus';
import { eachAtOnce, postUntilTaken } from './post';
import { scratchFolder, type AppName } from './processes';
import { startServices, startStandalone } from './stack';

jest.setTimeout(900_000);

/** How often each process is killed. */
const KILLS = 20;
/** A pause between kills: long enough for work to be under way, seldom long enough for it to end. */
const PAUSE_MAX_MS = 250;

const samples = recordedBodies(SAMPLES_FOLDER);

describe.each([
  ['standalone', startStandalone],
  ['rule', startServices],
  ['archive', startServices],
  ['alert', startServices],
  ['gateway', startServices],
] as const)('%s, killed while bodies are posted', (name, start) => {
  test(`loses nothing that was answered 200 and doubles nothing, in ${KILLS} kills`, async () => {
    const scratch = scratchFolder();
    const stack = await start(scratch.path);
    try {
      const killing = killAgainAndAgain(stack.crash, name);
      const posted: RecordedBody[] = [];
      for (let round = 0; round === 0 || !killing.done(); round += 1) {
        const bodies = variant(samples, round);
        await eachAtOnce(bodies, 3, ({ body }) => postUntilTaken(stack.address('webhook'), body));
        posted.push(...bodies);
      }
      await killing.finished;
      const wanted = keptEvents(posted);
      const found = await settledArchive(stack.address('archive'), wanted.size);
      expect(differences(found, wanted)).toEqual(NO_DIFFERENCES);
    } finally {
      await stack.stop();
      scratch.remove();
    }
  });
});

interface Killing {
  readonly done: () => boolean;
  readonly finished: Promise<void>;
}

function killAgainAndAgain(crash: (name: AppName) => Promise<void>, name: AppName): Killing {
  let done = false;
  const finished = (async () => {
    for (let kills = 0; kills < KILLS; kills += 1) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * PAUSE_MAX_MS));
      await crash(name);
    }
  })().finally(() => (done = true));
  return { done: () => done, finished };
}
