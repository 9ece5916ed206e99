import { TWO_32 } from "../bytes.ts";
import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import { readAddress6 } from "../text/address.ts";
import { readUuid } from "../text/uuid.ts";
import type { Hole } from "./hole.ts";
import * as H from "./hole.ts";
import { type Layout, SPECIAL_DECIMAL } from "./layout.ts";
import { HEX_VALUE } from "../text/ascii.ts";

// Encodes lines of one form by copying a message and patching its holes.

/** A number of some bits, before it is combined with the other bits. */
const BITS_WORD = new Int32Array(1);
const BITS = new Uint8Array(BITS_WORD.buffer);

/**
 * The skeleton of a line and the message that it becomes: lines that differ only in the values of the
 * holes are encoded by copying the message and putting the values in. Built from a line that was
 * encoded the slow way, and reused for as long as it matches.
 */
export class Shape {
  readonly #layout: Layout;
  /** The text between the holes, and the end of each piece. */
  readonly #text: Uint8Array;
  readonly #textEnd: Int32Array;

  /** @param line the line from which the layout was made, with the holes in order */
  constructor(line: Uint8Array, holes: readonly Hole[], layout: Layout) {
    const text: number[] = [];
    const ends: number[] = [];
    let from = 0;
    for (const hole of holes) {
      text.push(...line.subarray(from, hole.textStart));
      ends.push(text.length);
      from = hole.textEnd;
    }
    text.push(...line.subarray(from));
    this.#layout = layout;
    this.#text = Uint8Array.from(text);
    this.#textEnd = Int32Array.from(ends);
  }

  /**
   * Encodes the line `start` to `end` at the writer's position.
   * @returns false, with nothing written, if it has another shape, needs a closer look, or the
   * writer has no room
   */
  encode(bytes: Uint8Array, start: number, end: number, writer: AttributeWriter): boolean {
    // The first piece is compared before anything is copied: most shapes differ early.
    const first = this.#textEnd.length > 0 ? this.#textEnd[0]! : this.#text.length;
    if (end - start < first) return false;
    for (let i = 0; i < first; i++) if (bytes[start + i] !== this.#text[i]) return false;
    // Then the last piece: shapes often differ in the actions.
    const tail = this.#textEnd.length > 0 ? this.#textEnd[this.#textEnd.length - 1]! : first;
    for (let i = this.#text.length - 1, at = end - 1; i >= tail; i--, at--) {
      if (bytes[at] !== this.#text[i]) return false;
    }
    const base = this.#layout.place(writer);
    if (base < 0 || !this.#match(bytes, start + first, end, writer.memory.u8, base)) return false;
    this.#layout.finish(writer, base);
    return true;
  }

  /** Reads the values, starting at the first hole, into the copy of the message at `base`. */
  #match(bytes: Uint8Array, start: number, end: number, out: Uint8Array, base: number): boolean {
    const text = this.#text;
    const textEnd = this.#textEnd;
    const layout = this.#layout;
    const { kind: kinds, at: places, max, special } = layout;
    const holes = kinds.length;
    let at = start;
    let from = holes > 0 ? textEnd[0]! : text.length;
    for (let hole = 0; hole < holes; hole++) {
      const to = textEnd[hole]!;
      if (end - at < to - from) return false;
      for (; from < to; from++, at++) if (bytes[at] !== text[from]) return false;
      const target = base + places[hole]!;
      const kind = kinds[hole]!;
      const more = special[hole]!;
      if ((more & SPECIAL_DECIMAL) !== 0 && bytes[at] === 0x30 && bytes[at + 1] === 0x78)
        return false;
      switch (kind) {
        case H.HOLE_IPV4:
          at = readIpv4(bytes, at, end, out, target);
          break;
        case H.HOLE_MAC:
          at = readMac(bytes, at, end, out, target);
          break;
        case H.HOLE_IPV6:
          at = readAddress6(bytes, at, end, out, target);
          break;
        case H.HOLE_BE64:
          at = readNumber64(bytes, at, end, out, target);
          break;
        case H.HOLE_UUID:
          at = readUuid(bytes, at, end, out, target);
          break;
        case H.HOLE_SKIP:
          at = skipWord(bytes, at, end);
          break;
        case H.HOLE_SKIP_JSON:
          at = skipJson(bytes, at, end, max[hole]!);
          break;
        case H.HOLE_BITS16:
        case H.HOLE_BITS32:
          at = readNumber(bytes, at, end, max[hole]!, H.HOLE_LE32, BITS, 0);
          H.putNumber(out, target, kind, BITS_WORD[0]! & layout.bits[hole]!, layout.shift[hole]!);
          break;
        default:
          at = readNumber(bytes, at, end, max[hole]!, kind, out, target);
      }
      if (at < 0) return false;
      if (more !== 0 && !layout.settle(hole, out, base)) return false;
    }
    const rest = text.length - from;
    if (end - at !== rest) return false;
    for (; from < text.length; from++, at++) if (bytes[at] !== text[from]) return false;
    return true;
  }
}

/** Reads a decimal number, or a hexadecimal one with `0x`. @returns the offset after it, or -1 */
function readNumber(
  bytes: Uint8Array,
  start: number,
  end: number,
  max: number,
  kind: number,
  out: Uint8Array,
  target: number,
): number {
  if (start >= end) return -1;
  let at = start;
  let value = bytes[at]! - 0x30;
  if (value < 0 || value > 9) return -1;
  at++;
  if (value === 0) {
    const next = at < end ? bytes[at]! : 0;
    if (next === 0x78) {
      const digits = ++at;
      for (; at < end; at++) {
        const digit = HEX_VALUE[bytes[at]!]!;
        if (digit > 15) break;
        value = value * 16 + digit;
      }
      if (at === digits || at - digits > 8) return -1;
    } else if (next >= 0x30 && next <= 0x39) {
      return -1;
    }
  } else {
    for (; at < end; at++) {
      const digit = bytes[at]! - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (at - start > 10) return -1;
  }
  if (value > max) return -1;
  // An inlined putNumber: the call would take a tenth of the time of a line.
  switch (kind) {
    case H.HOLE_U8:
      out[target] = value;
      break;
    case H.HOLE_BE16:
      out[target] = value >>> 8;
      out[target + 1] = value;
      break;
    case H.HOLE_LE32:
      out[target] = value;
      out[target + 1] = value >>> 8;
      out[target + 2] = value >>> 16;
      out[target + 3] = value >>> 24;
      break;
    default:
      H.putNumber(out, target, kind, value, 0);
  }
  return at;
}

/**
 * Reads a number that a double holds exactly into eight bytes.
 * @returns the offset after it, or -1
 */
function readNumber64(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  target: number,
): number {
  let at = start;
  let base = 10;
  if (end - at > 1 && bytes[at] === 0x30) {
    if (bytes[at + 1] === 0x78) {
      base = 16;
      at += 2;
    } else if (HEX_VALUE[bytes[at + 1]!]! < 10) {
      return -1;
    }
  }
  const digits = at;
  let value = 0;
  for (; at < end; at++) {
    const digit = HEX_VALUE[bytes[at]!]!;
    if (digit >= base) break;
    value = value * base + digit;
  }
  if (at === digits || at - digits > (base === 16 ? 13 : 15)) return -1;
  const high = Math.floor(value / TWO_32);
  H.putNumber(out, target, H.HOLE_BE32, high, 0);
  H.putNumber(out, target + 4, H.HOLE_BE32, value - high * TWO_32, 0);
  return at;
}

/** Skips to a comma, a blank or the end; a comment may begin in between. */
function skipWord(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === 0x2c || byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d)
      return at;
    if (byte === 0x23) return -1;
  }
  return at;
}

/**
 * Skips what {@link H.SKIPPED_JSON} says, in its simple forms.
 * @returns the offset after it, or -1
 */
function skipJson(bytes: Uint8Array, start: number, end: number, what: number): number {
  if (H.SKIPPED_JSON[what] === "string") return skipString(bytes, start, end);
  const integerEnd = skipDigits(bytes, start, end);
  if (
    integerEnd === start ||
    integerEnd - start > 15 ||
    (bytes[start] === 0x30 && integerEnd > start + 1)
  )
    return -1;
  if (bytes[integerEnd] !== 0x2e || H.SKIPPED_JSON[what] === "whole") return integerEnd;
  const fraction = skipDigits(bytes, integerEnd + 1, end);
  return fraction === integerEnd + 1 ? -1 : fraction;
}

function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++;
  return at;
}

/** Skips a string of printable ASCII without escapes. */
function skipString(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || bytes[start] !== 0x22) return -1;
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === 0x22) return at + 1;
    if (byte < 0x20 || byte > 0x7e || byte === 0x5c) return -1;
  }
  return -1;
}

/** Reads a dotted address. @returns the offset after it, or -1 */
function readIpv4(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  target: number,
): number {
  let at = start;
  // The longest address and the byte after it: no bounds to look at inside. Reading past the line
  // is detected at the end.
  if (bytes.length - start < 16) return -1;
  for (let i = 0; i < 4; i++) {
    let value = bytes[at]! - 0x30;
    if (value < 0 || value > 9) return -1;
    at++;
    let digit = bytes[at]! - 0x30;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      at++;
      digit = bytes[at]! - 0x30;
      if (digit >= 0 && digit <= 9) {
        value = value * 10 + digit;
        at++;
        if (value > 255) return -1;
      }
    }
    out[target + i] = value;
    if (i === 3) return at <= end ? at : -1;
    if (bytes[at] !== 0x2e) return -1;
    at++;
  }
  return -1;
}

/** Reads a MAC address of two digits per byte. @returns the offset after it, or -1 */
function readMac(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  target: number,
): number {
  if (end - start < 17) return -1;
  let at = start;
  for (let i = 0; i < 6; i++) {
    const high = HEX_VALUE[bytes[at]!]!;
    const low = HEX_VALUE[bytes[at + 1]!]!;
    if ((high | low) > 15) return -1;
    out[target + i] = (high << 4) | low;
    at += 2;
    if (i === 5) return at;
    if (bytes[at] !== 0x3a) return -1;
    at++;
  }
  return -1;
}
