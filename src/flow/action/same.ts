import { TextSink } from "../text/sink.ts";
import { printActions } from "./print.ts";

// Compares lists of actions by their effect.

const ONE = new TextSink();
const OTHER = new TextSink();

/**
 * Whether two lists of actions are the same to a kernel: the same bytes, or at least the same text.
 * A kernel may dump an action differently from how it was sent (zone 0 of ct() is dumped, but was
 * not sent).
 */
export function sameActions(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (sameBytes(a, aStart, aEnd, b, bStart, bEnd)) return true;
  printActions(ONE.clear(), a, aStart, aEnd);
  printActions(OTHER.clear(), b, bStart, bEnd);
  return sameBytes(ONE.bytes, 0, ONE.length, OTHER.bytes, 0, OTHER.length);
}

function sameBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  const shift = bStart - aStart;
  for (let i = aStart; i < aEnd; i++) if (a[i] !== b[i + shift]) return false;
  return true;
}
