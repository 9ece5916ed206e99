import { numberOfName, type PortNames } from "../ports.ts";
import type { Cursor } from "./cursor.ts";
import type { Field } from "./field.ts";
import { rangeTo, setField, setFull } from "./field.ts";
import { parseFlags } from "./flags.ts";
import { CLOSE, COLON, DOT, HEX_VALUE, SLASH } from "./ascii.ts";

const ODPP_NONE = 0xffff_ffff;

/**
 * Reads `value[/mask]` of a field into `bytes`: the value into the payload at `keyBase`, the mask
 * into the one at `maskBase`; without a mask, the mask of an exact match.
 */
export function parseField(
  cursor: Cursor,
  of: Field,
  bytes: Uint8Array,
  keyBase: number,
  maskBase: number,
  ports: PortNames | undefined,
): void {
  switch (of.kind) {
    case "number":
      setField(bytes, keyBase, of, cursor.integer(of.limit, rangeTo(of.limit)));
      if (cursor.take(SLASH))
        setField(bytes, maskBase, of, cursor.integer(of.max, rangeTo(of.max)));
      else setField(bytes, maskBase, of, of.full);
      return;
    case "ipv4":
      cursor.ipv4(bytes, keyBase + of.offset);
      if (cursor.take(SLASH)) parseMask4(cursor, bytes, maskBase + of.offset);
      else setFull(bytes, maskBase, of);
      return;
    case "mac":
      cursor.mac(bytes, keyBase + of.offset);
      if (cursor.take(SLASH)) cursor.mac(bytes, maskBase + of.offset);
      else setFull(bytes, maskBase, of);
      return;
    case "ipv6":
      cursor.ipv6(bytes, keyBase + of.offset);
      if (cursor.take(SLASH)) parseMask6(cursor, bytes, maskBase + of.offset);
      else setFull(bytes, maskBase, of);
      return;
    case "frag":
      parseFrag(cursor, of, bytes, keyBase, maskBase);
      return;
    case "flags":
      parseFlags(cursor, of, bytes, keyBase, maskBase);
      return;
    case "port":
      parsePort(cursor, of, bytes, keyBase, maskBase, ports);
      return;
    case "number64":
      parse64(cursor, bytes, keyBase + of.offset);
      if (cursor.take(SLASH)) parse64(cursor, bytes, maskBase + of.offset);
      else setFull(bytes, maskBase, of);
      return;
    case "number128":
      parseLabel(cursor, bytes, keyBase + of.offset);
      if (cursor.take(SLASH)) parseLabel(cursor, bytes, maskBase + of.offset);
      else setFull(bytes, maskBase, of);
      return;
    case "hex":
      parseBytes(cursor, bytes, keyBase + of.offset, of.size);
      if (cursor.take(SLASH)) parseBytes(cursor, bytes, maskBase + of.offset, of.size);
      else setFull(bytes, maskBase, of);
  }
}

/** A dotted mask, or the length of a prefix (which OVS does not read). */
function parseMask4(cursor: Cursor, out: Uint8Array, at: number): void {
  const start = cursor.position;
  let next = start;
  while (next < cursor.end && (HEX_VALUE[cursor.bytes[next]!] ?? 255) < 10) next++;
  if (next > start && (next >= cursor.end || cursor.bytes[next] !== DOT)) {
    writePrefix(
      out,
      at,
      4,
      cursor.integer(32, "a mask such as 255.255.255.0, or a prefix of 0 to 32"),
    );
    return;
  }
  cursor.ipv4(out, at);
}

/** A mask as an address, or the length of a prefix. */
function parseMask6(cursor: Cursor, out: Uint8Array, at: number): void {
  const start = cursor.position;
  let next = start;
  while (next < cursor.end && (HEX_VALUE[cursor.bytes[next]!] ?? 255) < 16) next++;
  if (next > start && (next >= cursor.end || cursor.bytes[next] !== COLON)) {
    writePrefix(out, at, 16, cursor.integer(128, "a mask such as ffff::, or a prefix of 0 to 128"));
    return;
  }
  cursor.ipv6(out, at);
}

function writePrefix(out: Uint8Array, at: number, size: number, prefix: number): void {
  for (let i = 0; i < size; i++) {
    const bits = Math.min(8, Math.max(0, prefix - i * 8));
    out[at + i] = 0xff00 >>> bits;
  }
}

const FRAG_TYPES = ["no", "first", "later"];
const EXPECTED_FRAG = "no, first or later";

/** Other numbers than those of the three names are read too: a dump may hold them. */
function parseFrag(
  cursor: Cursor,
  of: Field,
  bytes: Uint8Array,
  keyBase: number,
  maskBase: number,
): void {
  const start = cursor.position;
  const length = cursor.word();
  if (length === 0) {
    setField(bytes, keyBase, of, cursor.integer(0xff, EXPECTED_FRAG));
  } else {
    // Told apart by their first letters: no string is made.
    const first = cursor.bytes[start]!;
    const type = first === 0x6e ? 0 : first === 0x66 ? 1 : first === 0x6c ? 2 : 3;
    const name = FRAG_TYPES[type];
    if (name === undefined || name.length !== length || !spells(cursor.bytes, start, name)) {
      cursor.fail(EXPECTED_FRAG, start);
    }
    setField(bytes, keyBase, of, type);
  }
  const mask = cursor.take(SLASH) ? cursor.integer(0xff, rangeTo(0xff)) : 0xff;
  setField(bytes, maskBase, of, mask);
}

function spells(bytes: Uint8Array, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return false;
  return true;
}

/** A number with a mask, or the name of a port up to the closing parenthesis. */
function parsePort(
  cursor: Cursor,
  of: Field,
  bytes: Uint8Array,
  keyBase: number,
  maskBase: number,
  ports: PortNames | undefined,
): void {
  const start = cursor.position;
  let end = start;
  while (end < cursor.end && cursor.bytes[end] !== CLOSE && cursor.bytes[end] !== SLASH) end++;
  // A name may begin with digits: 0x1 is a number, 0xeth and 4eth are names where a port has them.
  if (!isNumber(cursor.bytes, start, end)) {
    if (end === start) cursor.fail("a port number or a port's name");
    const number = numberOfName(cursor.slice(start, end), ports);
    if (number === undefined) {
      cursor.fail(
        ports === undefined
          ? "a port number (names need a datapath that has them)"
          : "a port number or the name of a port of the datapath",
      );
    }
    cursor.position = end;
    setField(bytes, keyBase, of, number);
    setField(bytes, maskBase, of, of.full);
    return;
  }
  const number = cursor.integer(0xffff_ffff, rangeTo(0xffff_ffff));
  if (number > 0xffff && number !== ODPP_NONE) cursor.fail("a port number from 0 to 65535", start);
  setField(bytes, keyBase, of, number);
  const mask = cursor.take(SLASH) ? cursor.integer(0xffff_ffff, rangeTo(0xffff_ffff)) : of.full;
  setField(bytes, maskBase, of, mask);
}

/** Whether the bytes are a number in C's notation. */
export function isNumber(bytes: Uint8Array, start: number, end: number): boolean {
  const isHex = end - start > 2 && bytes[start] === 0x30 && (bytes[start + 1]! | 0x20) === 0x78;
  for (let at = isHex ? start + 2 : start; at < end; at++) {
    if ((HEX_VALUE[bytes[at]!] ?? 255) > (isHex ? 15 : 9)) return false;
  }
  return end > start;
}

/** 64 bits into network order. */
function parse64(cursor: Cursor, out: Uint8Array, at: number): void {
  cursor.integer64("a number of at most 64 bits");
  for (let i = 0; i < 4; i++) {
    out[at + i] = cursor.high >>> (24 - i * 8);
    out[at + 4 + i] = cursor.low >>> (24 - i * 8);
  }
}

/** Conntrack labels: 128 bits, hexadecimal of any length or a number of 64, least significant byte first. */
export function parseLabel(cursor: Cursor, out: Uint8Array, at: number): void {
  parseBigEndian(cursor, out, at, 16, "a number of at most 128 bits");
  for (let i = 0; i < 8; i++) {
    const swap = out[at + i]!;
    out[at + i] = out[at + 15 - i]!;
    out[at + 15 - i] = swap;
  }
}

/** A number as `size` bytes, most significant first; above 64 bits it has to be hexadecimal. */
export function parseBigEndian(
  cursor: Cursor,
  out: Uint8Array,
  at: number,
  size: number,
  expected: string,
): void {
  const bytes = cursor.bytes;
  const start = cursor.position;
  out.fill(0, at, at + size);
  const hexadecimal =
    start + 1 < cursor.end && bytes[start] === 0x30 && (bytes[start + 1]! | 0x20) === 0x78;
  if (!hexadecimal) {
    cursor.integer64(expected);
    for (let i = 0; i < 8; i++) {
      const word = i < 4 ? cursor.low : cursor.high;
      const value = (word >>> ((i & 3) * 8)) & 0xff;
      if (i < size) out[at + size - 1 - i] = value;
      else if (value !== 0) cursor.fail(expected, start);
    }
    return;
  }
  const digits = start + 2;
  let end = digits;
  while (end < cursor.end && HEX_VALUE[bytes[end]!]! < 16) end++;
  if (end === digits) cursor.fail(expected, start);
  for (let i = 0, from = end - 1; from >= digits; i++, from--) {
    const digit = HEX_VALUE[bytes[from]!]!;
    const byte = i >> 1;
    if (byte < size) {
      const to = at + size - 1 - byte;
      out[to] = (i & 1) === 0 ? digit : out[to]! | (digit << 4);
    } else if (digit !== 0) {
      cursor.fail(expected, start);
    }
  }
  cursor.position = end;
}

/** Exactly `size` bytes of two digits each, blanks between them if one likes. */
function parseBytes(cursor: Cursor, out: Uint8Array, at: number, size: number): void {
  for (let i = 0; i < size; i++) {
    const value = parseHexPair(cursor);
    if (value < 0) cursor.fail(size === 2 ? "two bytes such as 00 00" : "more bytes");
    out[at + i] = value;
  }
  cursor.skipBlanks();
}

/** The next two hexadecimal digits, after any blanks. @returns their byte, or -1 where none is next */
export function parseHexPair(cursor: Cursor): number {
  cursor.skipBlanks();
  const first = HEX_VALUE[cursor.peek()] ?? 255;
  if (first > 15) return -1;
  cursor.position++;
  const second = HEX_VALUE[cursor.peek()] ?? 255;
  if (second > 15) cursor.fail("two hexadecimal digits a byte");
  cursor.position++;
  return (first << 4) | second;
}
