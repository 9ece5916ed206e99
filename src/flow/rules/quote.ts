import { readable } from "../text/syntax-error.ts";
import { placeOf } from "./place.ts";
import type { Refusal } from "./refusal.ts";

/** A line of the input, and the place in it that breaks a rule. */
export type QuotedLine = {
  /** 1-based, in bytes; also 1 if no place is known. */
  readonly column: number;
  readonly text: string;
  /** The index of the character that breaks the rule; absent if unknown. */
  readonly caret?: number;
};

const CARRIAGE_RETURN = 13;

/** Quotes a line of the input, with the place that breaks a rule. */
export function quote(line: Uint8Array, broken: Refusal | undefined): QuotedLine {
  const end = line.at(-1) === CARRIAGE_RETURN ? line.length - 1 : line.length;
  const text = readable(line, 0, end);
  const at = broken?.at === undefined ? undefined : placeOf(broken.at, line);
  if (at === undefined) return { column: 1, text };
  return { column: at + 1, text, caret: readable(line, 0, at).length };
}
