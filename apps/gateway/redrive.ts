import { decodeBody } from '@auditing/audit-event/decode-body';
import { keepBadItems, putEvents, type Arrival, type Intake } from './take-body';

/** What became of a dead letter that was sent on its way again. */
export type Redriven = 'spooled' | 'unknown' | 'cut';

/**
 * Takes a dead letter as if it had just come: its events get a new batch id, so that nobody takes them for the ones
 * that were refused. The letter is removed once they are in the spool. A crash in between leaves both: the archive
 * knows an event by its bytes.
 *
 * Resolves to `cut` if the letter does not hold all bytes, which can never be sent.
 *
 * @throws {BodyError} if there is still no event in it; the letter stays.
 */
export async function redrive(intake: Intake, hash: string, arrival: Arrival): Promise<Redriven> {
  const letter = await intake.deadLetters.get(hash);
  if (!letter) return 'unknown';
  if (letter.data.length < letter.dataBytes) return 'cut';
  const decoded = await decodeBody(letter.data);
  await keepBadItems(intake, decoded, arrival);
  await putEvents(intake, decoded, {
    receivedAtUs: arrival.receivedAtUs,
    bodyHash: letter.hash,
  });
  await intake.deadLetters.remove(hash);
  return 'spooled';
}
