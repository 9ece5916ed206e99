import { withCaret } from "../flow/text/syntax-error.ts";

/** Characters shown before and after the one that matters: a line of a terminal. */
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
  const cut = caret > BEFORE;
  const from = cut ? caret - BEFORE + 1 : 0;
  const to = caret + AFTER < text.length ? caret + AFTER - 1 : text.length;
  const shown = `${cut ? "…" : ""}${text.slice(from, to)}${to < text.length ? "…" : ""}`;
  return withCaret(shown, caret - from + (cut ? 1 : 0));
}
