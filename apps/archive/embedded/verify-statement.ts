import { Proof } from '@auditing/proto/archive';

import type { ReadCheckpoint } from './checkpoint';

/** What a check proves that found so many problems, and met so many checkpoints. */
export function proofOf(problemCount: number, matchedCount: number): Proof {
  if (problemCount > 0) return Proof.UNSPECIFIED;
  return matchedCount > 0 ? Proof.CHECKPOINT : Proof.CONSISTENT;
}

/** The same in words. `matched` are the checkpoints that were met. */
export function statementOf(
  proof: Proof,
  matched: readonly Pick<ReadCheckpoint, 'position'>[],
): string {
  const newest = Math.max(...matched.map(({ position }) => position));
  switch (proof) {
    case Proof.CHECKPOINT:
      return (
        `All events up to position ${newest} of the log are those that were there when the checkpoint was published, but for ` +
        'those that retention removed. This is as good as the place where the checkpoint was kept. What came later is ' +
        'consistent in itself.'
      );
    case Proof.CONSISTENT:
      return (
        'The archive is consistent in itself. This does not prove that nobody replaced it as a whole: whoever can write to ' +
        'its disk can make another one that passes. Give a checkpoint that was kept elsewhere to prove more.'
      );
    // What an engine without a chain proves.
    case Proof.EVENTS:
    case Proof.UNSPECIFIED:
    case Proof.UNRECOGNIZED:
      return 'The archive is damaged or was changed: see the problems.';
  }
}
