import { placeOf } from "../flow/rules/place.ts";
import type { Refusal } from "../flow/rules/refusal.ts";
import { readable } from "../flow/text/syntax-error.ts";
import type { QuotedLine } from "./outcome.ts";

const CARRIAGE_RETURN = 13;

/** A line as it stands in the input, and where in it stands what breaks a rule. */
export function quote(line: Uint8Array, broken: Refusal | undefined): QuotedLine {
  const end = line.at(-1) === CARRIAGE_RETURN ? line.length - 1 : line.length;
  const text = readable(line, 0, end);
  const at = broken === undefined ? undefined : placeOf(broken, line);
  if (at === undefined) return { column: 1, text };
  return { column: at + 1, text, caret: readable(line, 0, at).length };
}
