import { readable } from "../text/syntax-error.ts";
import { placeOf } from "./place.ts";
import type { Refusal } from "./refusal.ts";

/** A line of the input, and where in it a rule is broken. */
export type QuotedLine = {
  /** 1-based, in bytes; 1 as well where no place is known. */
  readonly column: number;
  readonly text: string;
  /** Which character of the text is meant; absent where none is known. */
  readonly caret?: number;
};

const CARRIAGE_RETURN = 13;

/** A line as it stands in the input, and where in it stands what breaks a rule. */
export function quote(line: Uint8Array, broken: Refusal | undefined): QuotedLine {
  const end = line.at(-1) === CARRIAGE_RETURN ? line.length - 1 : line.length;
  const text = readable(line, 0, end);
  const at = broken?.at === undefined ? undefined : placeOf(broken.at, line);
  if (at === undefined) return { column: 1, text };
  return { column: at + 1, text, caret: readable(line, 0, at).length };
}
