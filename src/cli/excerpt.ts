import { withCaret } from "../flow/text/syntax-error.ts";
import { beginningOf, endOf } from "./columns.ts";

/** Columns shown before the character that matters, and from it on: a line of a terminal. */
const BEFORE = 62;
const AFTER = 42;

/** A text, and which character of it is pointed to. */
export type Excerpted = { readonly text: string; readonly caret?: number };

/**
 * Text as people see it below a message, indented: where a character of it is pointed to, shortened
 * around that, with a caret under it. Nothing for no text.
 */
export function excerpt({ text, caret }: Excerpted): string {
  if (text === "") return "";
  return `    ${caret === undefined ? text : pointed(text, caret).replace("\n", "\n    ")}\n`;
}

function pointed(text: string, caret: number): string {
  const before = endOf(text.slice(0, caret), BEFORE);
  return withCaret(before + beginningOf(text.slice(caret), AFTER), before.length);
}
