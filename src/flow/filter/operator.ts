import { EQUALS } from "../text/ascii.ts";
import type { Cursor } from "../text/cursor.ts";

/** What compares two values. */
export type Comparison = "=" | "!=" | "<" | "<=" | ">" | ">=";

/** What stands between a field and a value. */
export type Operator = Comparison | "in" | "meets";

/** A longer mark comes before the one that it begins with. */
const MARKS: readonly Comparison[] = ["!=", "<=", ">=", "<", ">", "="];
const MARK_BYTES: readonly Uint8Array[] = MARKS.map((mark) => new TextEncoder().encode(mark));

/** Reads an operator, blanks before and behind it. @returns undefined where none is next */
export function parseOperator(cursor: Cursor): Operator | undefined {
  const mark = parseComparison(cursor);
  if (mark !== undefined) return mark;
  const start = cursor.position;
  cursor.word();
  const word = cursor.wordText();
  if (word !== "in" && word !== "meets") {
    cursor.position = start;
    return undefined;
  }
  cursor.skipBlanks();
  return word;
}

/** As {@link parseOperator}, of those that are marks. */
export function parseComparison(cursor: Cursor): Comparison | undefined {
  cursor.skipBlanks();
  const start = cursor.position;
  const mark = MARKS.find((_, i) => cursor.takeWord(MARK_BYTES[i] ?? NOTHING));
  // As other languages write it.
  if (mark === "=" && cursor.peek() === EQUALS) cursor.fail("a single =", start);
  if (mark !== undefined) cursor.skipBlanks();
  return mark;
}

const NOTHING = new Uint8Array(0);

/** Whether a difference is the one that a comparison wants. */
export function holds(difference: number, comparison: Comparison): boolean {
  switch (comparison) {
    case "=":
      return difference === 0;
    case "!=":
      return difference !== 0;
    case "<":
      return difference < 0;
    case "<=":
      return difference <= 0;
    case ">":
      return difference > 0;
    default:
      return difference >= 0;
  }
}
