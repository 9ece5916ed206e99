import { COLON, DOT, HEX_VALUE } from "./ascii.ts";

/**
 * Reads a dotted IPv4 address.
 * @returns the offset after it, or -1 if there is none at `start`
 */
export function readAddress4(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  let from = start;
  for (let i = 0; i < 4; i++) {
    if (i > 0 && (from >= end || bytes[from++] !== DOT)) return -1;
    const digits = from;
    let value = 0;
    while (from < end && from - digits < 4) {
      const digit = bytes[from]! - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      from++;
    }
    if (from === digits || from - digits > 3 || value > 255) return -1;
    out[at + i] = value;
  }
  return from;
}

/**
 * Reads an IPv6 address as inet_pton does: eight groups of up to four hexadecimal digits, one `::`
 * for a run of zeros, the last two groups optionally dotted.
 * @returns the offset after it, or -1 if there is none at `start`
 */
export function readAddress6(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  let from = start;
  let written = 0;
  let gap = -1;
  if (from + 1 < end && bytes[from] === COLON && bytes[from + 1] === COLON) {
    gap = 0;
    from += 2;
  }
  while (written < 16) {
    const digits = from;
    let value = 0;
    while (from < end && from - digits < 5) {
      const digit = HEX_VALUE[bytes[from]!]!;
      if (digit > 15) break;
      value = (value << 4) | digit;
      from++;
    }
    if (from === digits) {
      // A group may be missing only right after `::`.
      if (gap !== written) return -1;
      break;
    }
    if (from < end && bytes[from] === DOT) {
      if (written > 12) return -1;
      from = readAddress4(bytes, digits, end, out, at + written);
      if (from < 0) return -1;
      written += 4;
      break;
    }
    if (from - digits > 4) return -1;
    out[at + written] = value >>> 8;
    out[at + written + 1] = value & 0xff;
    written += 2;
    if (written === 16 || from >= end || bytes[from] !== COLON) break;
    from++;
    if (from < end && bytes[from] === COLON) {
      if (gap >= 0) return -1;
      gap = written;
      from++;
    }
  }
  if (gap < 0) return written === 16 ? from : -1;
  if (written === 16) return -1;
  const tail = written - gap;
  out.copyWithin(at + 16 - tail, at + gap, at + written);
  out.fill(0, at + gap, at + 16 - tail);
  return from;
}
