import type { Clause } from './clause';

/** Where the words of an event are indexed. */
const FIELD = 'Kept.Event';

/** Shorter ends of words are in nearly every event. */
const END_MIN_LENGTH = 3;

/** The analyser cuts words here: see LONG_WORD in event-document.ts. */
const WORD_MAX_LENGTH = 255;

/** More words than this narrow nothing any further. */
const WORDS_MAX = 16;

/** Letters of ASCII and everything beyond it, which may be letters: what stands on both sides of a word is none of them. */
const WORD = /[A-Za-z\u0080-\uffff]+/g;

/**
 * Events that may hold a text: those that have its words. They are read then, for the text may stand there in other case,
 * or with other signs between its words. Undefined if the text has no word: then any event may hold it.
 */
export function textClause(text: string): Clause | undefined {
  const words = [...text.matchAll(WORD)]
    .map((match) =>
      wordClause(match[0], match.index > 0, match.index + match[0].length < text.length),
    )
    .filter((clause) => clause !== undefined)
    .slice(0, WORDS_MAX);
  if (words.length === 0) return undefined;
  const always = { term: { 'Kept.SearchAlways': true } };
  return {
    bool: { should: [{ bool: { filter: words } }, always], minimum_should_match: 1 },
  };
}

/** A word at the beginning or end of the text may be part of a longer one. */
function wordClause(word: string, beginsHere: boolean, endsHere: boolean): Clause | undefined {
  if (!/^[a-z]+$/i.test(word) || word.length > WORD_MAX_LENGTH) return undefined;
  const value = word.toLowerCase();
  if (beginsHere && endsHere) return { term: { [FIELD]: value } };
  if (value.length < END_MIN_LENGTH) return undefined;
  if (beginsHere) return { prefix: { [FIELD]: { value } } };
  return { wildcard: { [FIELD]: { value: endsHere ? `*${value}` : `*${value}*` } } };
}
