import { Diagnostic, Severity } from '@auditing/proto/rule';

/** Something wrong at one place of a text. */
export interface Problem {
  readonly severity: Severity.ERROR | Severity.WARNING;
  /** Offset in the text, in UTF-16 units. */
  readonly at: number;
  /** What was expected, what came, what to do. */
  readonly message: string;
}

/** Something that keeps an entry from being loaded. */
export function error(at: number, message: string): Problem {
  return { severity: Severity.ERROR, at, message };
}

/** Something that is loaded but hardly does what its author meant. */
export function warning(at: number, message: string): Problem {
  return { severity: Severity.WARNING, at, message };
}

/** How much of a long line an excerpt shows on either side of the place, in UTF-16 units. */
const EXCERPT_MARGIN = 60;

/** A problem with its line, column and excerpt; `resource` and `path` are left to the caller. */
export function locate(text: string, problem: Problem): Diagnostic {
  const at = Math.min(problem.at, text.length);
  const before = text.slice(0, at);
  const lineStart = before.lastIndexOf('\n') + 1;
  const nextBreak = text.indexOf('\n', at);
  const lineEnd = nextBreak === -1 ? text.length : nextBreak;
  const from = Math.max(lineStart, at - EXCERPT_MARGIN);
  const shown = text.slice(from, Math.min(lineEnd, at + EXCERPT_MARGIN)).trimEnd();
  // A tab stays a tab, so that the caret stands below its character.
  const indent = text.slice(from, at).replace(/[^\t]/gu, ' ');
  return Diagnostic.fromPartial({
    severity: problem.severity,
    line: before.split('\n').length,
    column: Array.from(text.slice(lineStart, at)).length + 1,
    message: problem.message,
    excerpt: `${shown}\n${indent}^`,
  });
}
