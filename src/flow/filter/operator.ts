import { EQUALS } from "../text/ascii.ts";
import type { Cursor } from "../text/cursor.ts";

/** Compares two values. */
export type Comparison = "=" | "!=" | "<" | "<=" | ">" | ">=";

/** The operator between a field and a value. */
export type Operator = Comparison | "in" | "meets";

/** A longer mark precedes its own prefix. */
const MARKS: readonly Comparison[] = ["!=", "<=", ">=", "<", ">", "="];
const MARK_BYTES: readonly Uint8Array[] = MARKS.map((mark) => new TextEncoder().encode(mark));

/** Reads an operator and the blanks around it. @returns undefined if none is next */
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

/** As {@link parseOperator}, only for comparisons. */
export function parseComparison(cursor: Cursor): Comparison | undefined {
  cursor.skipBlanks();
  const start = cursor.position;
  const mark = MARKS.find((_, i) => cursor.takeWord(MARK_BYTES[i] ?? NOTHING));
  // `==`, as in other languages.
  if (mark === "=" && cursor.peek() === EQUALS) cursor.fail("a single =", start);
  if (mark !== undefined) cursor.skipBlanks();
  return mark;
}

const NOTHING = new Uint8Array(0);

/** Whether a comparison is true for a difference of two values. */
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
