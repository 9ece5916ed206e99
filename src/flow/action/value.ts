import { type AttributeWriter, NLA_PAYLOAD_MAX } from "../../netlink/attribute-writer.ts";
import type { Cursor } from "../text/cursor.ts";
import { parseLabel } from "../text/field-parse.ts";
import { printLabel } from "../text/field-print.ts";
import type { TextSink } from "../text/sink.ts";
import { isZero } from "../bytes.ts";
import { CLOSE, COMMA, HASH, HEX_VALUE, OPEN, SLASH } from "../text/ascii.ts";

/**
 * The minimum of user data that OVS sends, in bytes; kernels before 3.10 required exactly this
 * many.
 */
const USERDATA_MIN = 8;

/** Skips `0x` if it is next. */
function takePrefix(cursor: Cursor): boolean {
  const at = cursor.position;
  if (cursor.take(0x30) && (cursor.take(0x78) || cursor.take(0x58))) return true;
  cursor.position = at;
  return false;
}

/** Reads a 32-bit hexadecimal number, with or without `0x`, as OVS's `%"SCNx32"` does. */
export function parseHex32(cursor: Cursor): number {
  takePrefix(cursor);
  const start = cursor.position;
  let value = 0;
  for (let next = cursor.peek(); next >= 0 && HEX_VALUE[next]! < 16; next = cursor.peek()) {
    value = value * 16 + HEX_VALUE[next]!;
    if (value > 0xffff_ffff) cursor.fail("a hexadecimal number of at most 32 bits", start);
    cursor.position++;
  }
  if (cursor.position === start) cursor.fail("a hexadecimal number");
  return value;
}

/** Reads `V[/M]` of 128 bits into 32 bytes at `at`: the labels, low byte first, and their mask. */
export function parseLabels(cursor: Cursor, bytes: Uint8Array, at: number): void {
  parseLabel(cursor, bytes, at);
  if (cursor.take(SLASH)) parseLabel(cursor, bytes, at + 16);
  else bytes.fill(0xff, at + 16, at + 32);
}

/** Prints labels as {@link parseLabels} reads them, the mask only if it is not all ones. */
export function printLabels(out: TextSink, bytes: Uint8Array, at: number): void {
  printLabel(out, bytes, at);
  for (let i = 16; i < 32; i++) {
    if (bytes[at + i] !== 0xff) {
      out.byte(SLASH);
      printLabel(out, bytes, at + 16);
      return;
    }
  }
}

/**
 * Reads `0x` and digits, 1 to `max` bytes, into an attribute, and appends zeros up to a multiple of
 * `roundTo`. ovs-dpctl prints bytes without leading zeros, so in a dump, or if the number of digits
 * is odd, the zeros go in front. The kernel's ovs-dpctl.py writes no `0x`: then the digits come in
 * pairs.
 */
export function parseHexBytes(
  cursor: Cursor,
  writer: AttributeWriter,
  type: number,
  max: number,
  roundTo: number,
): void {
  const start = cursor.position;
  const isNumber = takePrefix(cursor);
  let end = cursor.position;
  while (end < cursor.end && HEX_VALUE[cursor.bytes[end]!]! < 16) end++;
  const digits = end - cursor.position;
  if (digits === 0 || (!isNumber && (digits & 1) !== 0))
    cursor.fail("0x and hexadecimal digits, or pairs of them alone", start);
  const count = (digits + 1) >> 1;
  const length = Math.ceil(count / roundTo) * roundTo;
  if (length > max) cursor.fail(`at most ${max} bytes`, start);
  const at = writer.reserve(type, length);
  if (at >= 0) {
    const out = writer.memory.u8;
    out.fill(0, at, at + length);
    const before = cursor.isDump || (digits & 1) !== 0 ? length - count : 0;
    let half = digits & 1;
    for (let from = cursor.position; from < end; from++, half++) {
      const to = at + before + (half >> 1);
      out[to] = (out[to]! << 4) | HEX_VALUE[cursor.bytes[from]!]!;
    }
  }
  cursor.position = end;
}

/**
 * Reads pairs of digits, blanks between them, up to the closing parenthesis, which it does not
 * skip, into an attribute: of at least eight bytes, or of exactly the bytes read.
 */
export function parseBytes(
  cursor: Cursor,
  writer: AttributeWriter,
  type: number,
  least: boolean,
): void {
  const start = cursor.position;
  let end = start;
  let digits = 0;
  for (; end < cursor.end && cursor.bytes[end] !== CLOSE; end++) {
    const byte = cursor.bytes[end]!;
    if (HEX_VALUE[byte]! < 16) digits++;
    else if (byte !== 0x20 && byte !== 0x09) break;
  }
  const count = digits >> 1;
  const length = least ? Math.max(USERDATA_MIN, count) : count;
  if (length > NLA_PAYLOAD_MAX) cursor.fail("fewer bytes: an attribute holds 65,531", start);
  const at = writer.reserve(type, length);
  if (at < 0) {
    cursor.position = end;
    return;
  }
  const out = writer.memory.u8;
  out.fill(0, at, at + length);
  let to = at;
  cursor.skipBlanks();
  while (cursor.position < end) {
    to += cursor.hexBytes(out, to, at + count - to);
    if (cursor.position === end) break;
    cursor.skipBlanks();
  }
}

/** Reads a name of 1 to `max` bytes into an attribute, with its closing zero. */
export function parseName(
  cursor: Cursor,
  writer: AttributeWriter,
  type: number,
  max: number,
): void {
  const start = cursor.position;
  const end = cursor.tokenEnd();
  const count = end - start;
  if (count === 0 || count > max) cursor.fail(`a name of 1 to ${max} letters`);
  const at = writer.reserve(type, count + 1);
  cursor.position = end;
  if (at < 0) return;
  const out = writer.memory.u8;
  for (let i = 0; i < count; i++) out[at + i] = cursor.bytes[start + i]!;
  out[at + count] = 0;
}

/** Whether a payload is a name that {@link parseName} reads back from a line: ASCII, and no comment. */
export function isName(bytes: Uint8Array, at: number, length: number, max: number): boolean {
  if (length < 2 || length > max + 1 || bytes[at + length - 1] !== 0) return false;
  for (let i = 0; i < length - 1; i++) {
    const byte = bytes[at + i]!;
    if (byte <= 0x20 || byte >= 0x7f) return false;
    if (byte === HASH || byte === OPEN || byte === CLOSE || byte === COMMA) return false;
  }
  return true;
}

/** Whether the mask of a mark or of labels is zero, so that nothing is set. */
export function isNoMask(bytes: Uint8Array, at: number, size: number): boolean {
  return isZero(bytes, at + size, size);
}
