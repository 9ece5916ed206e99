import { TextSink } from "../text/sink.ts";
import { printActions } from "./print.ts";

// Whether two lists of actions do the same.

const ONE = new TextSink();
const OTHER = new TextSink();

/**
 * Whether two lists of actions are one to a kernel: the same bytes, or at least the same text. A kernel
 * may say a thing another way than it was told (zone 0 of ct() is dumped, and was not sent).
 */
export function sameActions(
  one: Uint8Array,
  oneStart: number,
  oneEnd: number,
  other: Uint8Array,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (sameBytes(one, oneStart, oneEnd, other, otherStart, otherEnd)) return true;
  printActions(ONE.clear(), one, oneStart, oneEnd);
  printActions(OTHER.clear(), other, otherStart, otherEnd);
  return sameBytes(ONE.bytes, 0, ONE.length, OTHER.bytes, 0, OTHER.length);
}

function sameBytes(
  one: Uint8Array,
  oneStart: number,
  oneEnd: number,
  other: Uint8Array,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (oneEnd - oneStart !== otherEnd - otherStart) return false;
  const shift = otherStart - oneStart;
  for (let i = oneStart; i < oneEnd; i++) if (one[i] !== other[i + shift]) return false;
  return true;
}
