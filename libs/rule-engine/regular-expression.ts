import { RE2JS } from 're2js';
import { literalTest } from './literal-pattern';
import { RecentMap } from './recent-map';

/** Longest pattern, in UTF-16 units: compiling one takes time and memory with its length. */
const MAX_PATTERN_LENGTH = 4_096;

/** How many compiled patterns are kept: a rule set is compiled anew at each change, and checked before. */
const KEPT_PATTERNS = 1_024;

const compiledPatterns = new RecentMap<string, RegularExpression>(KEPT_PATTERNS);

/** A compiled pattern, or why it is none. */
export type RegularExpression =
  { readonly test: (text: string) => boolean } | { readonly reason: string };

/**
 * Compiles a regular expression of RE2's syntax: unanchored, case-sensitive unless it starts with `(?i)`. It
 * takes time linear in the text whatever the pattern; look-around and back-references are refused.
 */
export function compileRegularExpression(pattern: string): RegularExpression {
  let compiled = compiledPatterns.get(pattern);
  if (compiled === undefined) {
    compiled = compile(pattern);
    compiledPatterns.set(pattern, compiled);
  }
  return compiled;
}

function compile(pattern: string): RegularExpression {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    return { reason: `it has more than ${MAX_PATTERN_LENGTH} characters` };
  }
  const literal = literalTest(pattern);
  if (literal !== undefined) return { test: literal };
  try {
    const compiled = RE2JS.compile(pattern);
    return { test: (text) => compiled.test(text) };
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return { reason: reason.replace(/^error parsing regexp: /, '') };
  }
}
