import type { PortNames } from "../ports.ts";
import type { Cursor } from "./cursor.ts";
import { type Field, holdsNumber, rangeTo, setField, setFull } from "./field.ts";
import { parseFlags } from "./flags.ts";
import { isNumeral, parsePort } from "./port.ts";
import { parseUuid } from "./uuid.ts";
import { COLON, DOT, HEX_VALUE, SLASH } from "./ascii.ts";

/**
 * Reads `value[/mask]` of a field into `bytes`: the value into the payload at `key`, the mask into
 * the one at `mask`; without a mask, the mask of an exact match.
 */
export function parseField(
  cursor: Cursor,
  field: Field,
  bytes: Uint8Array,
  key: number,
  mask: number,
  ports: PortNames | undefined,
): void {
  if (field.kind === "flags") {
    parseFlags(cursor, field, bytes, key, mask);
    return;
  }
  const start = cursor.position;
  parseValue(cursor, field, bytes, key, ports);
  if (cursor.peek() !== SLASH) {
    setFull(field, bytes, mask);
    return;
  }
  if (field.kind === "port" && !isNumeral(cursor.bytes, start, cursor.position))
    cursor.fail("no mask after a port's name");
  cursor.position++;
  parseMask(cursor, field, bytes, mask);
}

/** Reads the value of a field, without a mask, into the payload at `base`. */
export function parseValue(
  cursor: Cursor,
  field: Field,
  bytes: Uint8Array,
  base: number,
  ports: PortNames | undefined,
): void {
  const at = base + field.offset;
  switch (field.kind) {
    case "number":
    case "flags":
    case "choice":
      setField(field, bytes, base, cursor.integer(field.limit, rangeTo(field.limit)));
      return;
    case "ipv4":
      cursor.ipv4(bytes, at);
      return;
    case "mac":
      cursor.mac(bytes, at);
      return;
    case "ipv6":
      cursor.ipv6(bytes, at);
      return;
    case "frag":
      setField(field, bytes, base, parseFrag(cursor));
      return;
    case "port":
      setField(field, bytes, base, parsePort(cursor, field.limit, ports));
      return;
    case "number64":
      parse64(cursor, bytes, at);
      return;
    case "hex64":
      parseHex64(cursor, bytes, at);
      return;
    case "number128":
      parseLabel(cursor, bytes, at);
      return;
    case "uuid":
      parseUuid(cursor, bytes, at);
      return;
    case "hex":
      parseBytes(cursor, bytes, at, field.size);
  }
}

/** Reads what follows the slash of a field; an address also takes a prefix length as its mask. */
function parseMask(cursor: Cursor, field: Field, bytes: Uint8Array, mask: number): void {
  if (field.kind === "ipv4") parseMask4(cursor, bytes, mask + field.offset);
  else if (field.kind === "ipv6") parseMask6(cursor, bytes, mask + field.offset);
  else if (field.kind === "hex" || !holdsNumber(field))
    parseValue(cursor, field, bytes, mask, undefined);
  else setField(field, bytes, mask, cursor.integer(field.max, rangeTo(field.max)));
}

/** Reads a dotted mask, or a prefix length (which OVS does not read). */
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

/** Reads a mask written as an address, or a prefix length. */
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

/** Numbers beyond those with a name are read too, since a dump may hold them. */
function parseFrag(cursor: Cursor): number {
  const start = cursor.position;
  const length = cursor.word();
  if (length === 0) return cursor.integer(0xff, EXPECTED_FRAG);
  // The first letters tell them apart, so no string is made.
  const first = cursor.bytes[start]!;
  const type = first === 0x6e ? 0 : first === 0x66 ? 1 : first === 0x6c ? 2 : 3;
  const name = FRAG_TYPES[type];
  if (name === undefined || name.length !== length || !spells(cursor.bytes, start, name))
    cursor.fail(EXPECTED_FRAG, start);
  return type;
}

function spells(bytes: Uint8Array, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return false;
  return true;
}

/** Reads 64 bits into network order. */
function parse64(cursor: Cursor, out: Uint8Array, at: number): void {
  cursor.integer64("a number of at most 64 bits");
  for (let i = 0; i < 4; i++) {
    out[at + i] = cursor.high >>> (24 - i * 8);
    out[at + 4 + i] = cursor.low >>> (24 - i * 8);
  }
}

/** Reads a hexadecimal number, with or without `0x` as OVS's `%"SCNx64"` does, into zero bytes. */
function parseHex64(cursor: Cursor, out: Uint8Array, at: number): void {
  const start = cursor.position;
  if (cursor.take(0x30)) {
    if (!cursor.take(0x78)) cursor.take(0x58);
  }
  let digits = 0;
  for (let next = cursor.peek(); next >= 0 && HEX_VALUE[next]! < 16; next = cursor.peek()) {
    if (digits > 0 || next !== 0x30) digits++;
    if (digits > 16) cursor.fail("a hexadecimal number of at most 64 bits", start);
    // Shifts the eight bytes left by four bits.
    for (let i = 0; i < 8; i++)
      out[at + i] = (out[at + i]! << 4) | (i < 7 ? out[at + i + 1]! >>> 4 : HEX_VALUE[next]!);
    cursor.position++;
  }
  if (cursor.position === start) cursor.fail("a hexadecimal number");
}

/**
 * Reads conntrack labels, 128 bits stored least significant byte first: hexadecimal of any length,
 * or another number of at most 64 bits.
 */
export function parseLabel(cursor: Cursor, out: Uint8Array, at: number): void {
  parseBigEndian(cursor, out, at, 16, "a number of at most 128 bits");
  for (let i = 0; i < 8; i++) {
    const swap = out[at + i]!;
    out[at + i] = out[at + 15 - i]!;
    out[at + 15 - i] = swap;
  }
}

/**
 * Reads a number into `size` bytes, most significant first; above 64 bits it must be hexadecimal.
 */
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

/** Reads exactly `size` bytes of two digits each, with optional blanks between them. */
function parseBytes(cursor: Cursor, out: Uint8Array, at: number, size: number): void {
  for (let i = 0; i < size; i++) {
    const value = parseHexPair(cursor);
    if (value < 0) cursor.fail(size === 2 ? "two bytes such as 00 00" : "more bytes");
    out[at + i] = value;
  }
  cursor.skipBlanks();
}

/** Reads two hexadecimal digits, after any blanks. @returns their byte, or -1 if none is next */
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
