import { withCaret } from "../flow/text/syntax-error.ts";
import type { FlowException } from "../load/outcome.ts";
import { beginningOf, endOf, fitted } from "./columns.ts";

// Shows a line that failed below the message about it, fitted to the terminal.

const INDENT = "    ";

/** Columns shown before the marked character, and at most from it on. */
const BEFORE = 62;
const AFTER = 42;

/** Columns from the marked character on, however narrow the terminal is. */
const AFTER_MIN = 10;

/** A text, and the index of the marked character. */
export type Excerpted = { readonly text: string; readonly caret?: number };

/** A line that failed. */
type Failure = Excerpted & Pick<FlowException, "line" | "column" | "code" | "reason">;

/** What became of a line and why, and the line itself. */
export function failureText(failure: Failure, state: string): string {
  const { line, column, code, reason } = failure;
  const told = `line ${line}, column ${column}: ${state} (${code}): ${reason}`;
  return `${fitted(told, process.stdout.columns)}\n${excerpt(failure)}`;
}

/**
 * Indents a text for printing below a message. If a character is marked, the text is shortened
 * around it, to fit a terminal of `columns`, with a caret below. Empty for an empty text.
 */
export function excerpt(
  { text, caret }: Excerpted,
  columns: number | undefined = process.stdout.columns,
): string {
  if (text === "") return "";
  if (caret === undefined) return `${INDENT}${text}\n`;
  return `${INDENT}${pointed(text, caret, columns).replace("\n", `\n${INDENT}`)}\n`;
}

// A line that the terminal breaks would put the caret below something else.
function pointed(text: string, caret: number, columns = Number.POSITIVE_INFINITY): string {
  const before = endOf(text.slice(0, caret), BEFORE);
  const room = columns - INDENT.length - Bun.stringWidth(before);
  const after = beginningOf(text.slice(caret), Math.min(AFTER, Math.max(AFTER_MIN, room)));
  return withCaret(before + after, before.length);
}
