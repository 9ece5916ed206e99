import { withCaret } from "../flow/text/syntax-error.ts";
import { beginningOf, endOf } from "./columns.ts";

/** Columns shown before the marked character, and from it on: together a line of a terminal. */
const BEFORE = 62;
const AFTER = 42;

/** A text, and the index of the marked character. */
export type Excerpted = { readonly text: string; readonly caret?: number };

/**
 * Indents a text for printing below a message. If a character is marked, the text is shortened
 * around it, with a caret below. Empty for an empty text.
 */
export function excerpt({ text, caret }: Excerpted): string {
  if (text === "") return "";
  return `    ${caret === undefined ? text : pointed(text, caret).replace("\n", "\n    ")}\n`;
}

function pointed(text: string, caret: number): string {
  const before = endOf(text.slice(0, caret), BEFORE);
  return withCaret(before + beginningOf(text.slice(caret), AFTER), before.length);
}
