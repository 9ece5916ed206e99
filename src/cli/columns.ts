/** Text measured in columns of a terminal: 漢 takes two, a combining accent none. */

/** Text padded with blanks at the end to `columns`. */
export function padRight(text: string, columns: number): string {
  return text + blanks(columns - Bun.stringWidth(text));
}

/** Text padded with blanks at the beginning to `columns`. */
export function padLeft(text: string, columns: number): string {
  return blanks(columns - Bun.stringWidth(text)) + text;
}

/** The beginning of a text, with an ellipsis if it is longer than `columns`. */
export function beginningOf(text: string, columns: number): string {
  if (Bun.stringWidth(text) <= columns) return text;
  if (columns < 1) return "";
  const kept = Bun.sliceAnsi(text, 0, columns - 1);
  // The slice includes a wide character at the edge.
  const fits = Bun.stringWidth(kept) < columns;
  return `${fits ? kept : Bun.sliceAnsi(text, 0, columns - 2)}…`;
}

/** The end of a text, with an ellipsis if it is longer than `columns`. */
export function endOf(text: string, columns: number): string {
  if (Bun.stringWidth(text) <= columns) return text;
  return columns < 1 ? "" : `…${columns < 2 ? "" : Bun.sliceAnsi(text, 1 - columns)}`;
}

/**
 * Text whose long lines are broken between words, to fit a terminal. Indented lines stay whole:
 * flows and examples, which people copy. @param columns undefined if there is no terminal
 */
export function fitted(text: string, columns: number | undefined): string {
  if (columns === undefined) return text;
  return text.replaceAll(/^\S.*$/gm, (line) => Bun.wrapAnsi(line, columns));
}

function blanks(count: number): string {
  return " ".repeat(Math.max(0, count));
}
