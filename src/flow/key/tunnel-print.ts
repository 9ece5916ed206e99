import { GBP, GTPU } from "./tunnel-parse.ts";
import { isWild, printField, type PrintStyle } from "../text/field-print.ts";
import { getField, readContainer } from "../text/field.ts";
import { printFlagBits, printSignedFlags } from "../text/flags.ts";
import type { TextSink } from "../text/sink.ts";
import { printGeneve } from "./geneve.ts";
import * as T from "./tunnel-fields.ts";
import { CLOSE, COMMA, EQUALS } from "../text/ascii.ts";

// Prints the inside of `tunnel(…)`.

/** Without these the kernel refuses a tunnel, so they are printed even if wildcarded. */
const MANDATORY: number = T.TUNNEL_HAS_DST | T.TUNNEL_HAS_DST6 | T.TUNNEL_HAS_TTL;

/** Prints what is inside `tunnel(…)` from the slot TUNNEL at `key` and `mask`. */
export function printTunnel(
  out: TextSink,
  bytes: Uint8Array,
  key: number,
  mask: number,
  style: PrintStyle,
): void {
  const start = out.length;
  const present = readContainer(bytes, key + T.TUNNEL_PRESENT, 4, false);
  for (const [index, of] of T.TUNNEL_FIELDS.entries()) {
    const bit = 1 << index;
    if ((present & bit) === 0) continue;
    // A wildcarded tunnel id still means that there is one.
    const shown = style.verbose || ((MANDATORY | T.TUNNEL_HAS_ID) & bit) !== 0;
    if (!shown && isWild(of, bytes, mask)) continue;
    if (out.length > start) out.byte(COMMA);
    out.text(of.name);
    out.byte(EQUALS);
    printField(out, of, bytes, key, mask, style);
  }
  if ((present & T.TUNNEL_HAS_OPTIONS) !== 0) {
    if (out.length > start) out.byte(COMMA);
    printOptions(out, present, bytes, key, mask, style);
  }
  // The flag `key` follows from the tunnel id.
  const derived = (present & T.TUNNEL_HAS_ID) !== 0 ? T.TUNNEL_F_KEY : 0;
  const value = getField(T.TUNNEL_FLAGS_FIELD, bytes, key) | derived;
  const bits = getField(T.TUNNEL_FLAGS_FIELD, bytes, mask) | derived;
  if (bits === 0 && !style.verbose) return;
  if (out.length > start) out.byte(COMMA);
  out.text("flags(");
  // Without signs, the text could not say that there must be no tunnel id.
  const plain = (present & T.TUNNEL_PLAIN_FLAGS) !== 0 || (value & T.TUNNEL_F_KEY) !== 0;
  if (bits === T.TUNNEL_F_FULL && !plain) printSignedFlags(out, T.TUNNEL_FLAGS_FIELD, value, bits);
  else printFlagBits(out, T.TUNNEL_FLAGS_FIELD, value, bits);
  out.byte(CLOSE);
}

function printOptions(
  out: TextSink,
  present: number,
  bytes: Uint8Array,
  key: number,
  mask: number,
  style: PrintStyle,
): void {
  if ((present & T.TUNNEL_HAS_GENEVE) !== 0) {
    const length = readContainer(bytes, key + T.TUNNEL_OPTIONS_LENGTH, 2, false);
    out.text("geneve(");
    printGeneve(out, bytes, key + T.TUNNEL_OPTIONS, mask + T.TUNNEL_OPTIONS, length, style);
  } else if ((present & T.TUNNEL_HAS_VXLAN) !== 0) {
    out.text("vxlan(gbp(");
    GBP.print(out, bytes, key, mask, style);
    out.byte(CLOSE);
  } else if ((present & T.TUNNEL_HAS_ERSPAN) !== 0) {
    out.text("erspan(");
    printErspan(out, bytes, key, mask, style);
  } else {
    out.text("gtpu(");
    GTPU.print(out, bytes, key, mask, style);
  }
  out.byte(CLOSE);
}

function printErspan(
  out: TextSink,
  bytes: Uint8Array,
  key: number,
  mask: number,
  style: PrintStyle,
): void {
  out.text("ver=");
  printField(out, T.ERSPAN_VERSION, bytes, key, mask, style);
  const version = getField(T.ERSPAN_VERSION, bytes, key);
  const named = T.erspanNamed(version);
  for (const field of T.erspanFields(version)) {
    const isLeftOut = named.includes(field)
      ? !style.verbose && isWild(field, bytes, mask)
      : getField(field, bytes, key) === 0 && getField(field, bytes, mask) === field.full;
    if (isLeftOut) continue;
    out.byte(COMMA);
    out.text(field.name);
    out.byte(EQUALS);
    printField(out, field, bytes, key, mask, style);
  }
}
