import type { Cursor } from "../text/cursor.ts";
import { parseBigEndian, parseField } from "../text/field-parse.ts";
import { printField, type PrintStyle } from "../text/field-print.ts";
import { isZero, areOnes } from "../bytes.ts";
import {
  areBytesExact,
  be16,
  type Field,
  getField,
  isFieldExact,
  setField,
  u8,
} from "../text/field.ts";
import { FieldSet } from "../text/field-set.ts";
import type { TextSink } from "../text/sink.ts";
import { TUNNEL_OPTIONS_MAX } from "./levels.ts";
import { CLOSE_BRACE, COMMA, EQUALS, OPEN_BRACE, SLASH } from "../text/ascii.ts";

/** Bytes of `struct geneve_opt`: class, type, then three reserved bits and the length in words. */
const HEADER = 4;
const DATA_MAX = 124;

const CLASS: Field = be16("class", 0, { radix: "hex" });
const TYPE: Field = u8("type", 2, { radix: "hex" });
/** The length is in words in the header, in bytes in text. */
const LENGTH: Field = u8("len", 3, { bits: 5 });
const FIELDS: FieldSet = new FieldSet([CLASS, TYPE, u8("len", 0)]);

const EXPECTED_LENGTH = "a length in bytes, a multiple of 4 up to 124";
const EXPECTED_DATA = "data of at most len bytes";

/**
 * Reads `{class=…,type=…,len=…,0xDATA/0xMASK}…`, one option after another, into `bytes`.
 * @returns their length, the same for value and mask
 */
export function parseGeneve(cursor: Cursor, bytes: Uint8Array, key: number, mask: number): number {
  let at = 0;
  while (cursor.take(OPEN_BRACE)) {
    if (at + HEADER > TUNNEL_OPTIONS_MAX) cursor.fail("at most 255 bytes of options");
    at +=
      HEADER + parseOption(cursor, bytes, key + at, mask + at, TUNNEL_OPTIONS_MAX - at - HEADER);
    cursor.expect(CLOSE_BRACE, "a closing }");
  }
  return at;
}

/** Reads one option. @returns the bytes of its data */
function parseOption(
  cursor: Cursor,
  bytes: Uint8Array,
  key: number,
  mask: number,
  room: number,
): number {
  let seen = 0;
  let size = 0;
  let data = false;
  if (cursor.peek() === CLOSE_BRACE) return 0;
  do {
    if (cursor.word() === 0) {
      if (data) cursor.fail("data once");
      data = true;
      parseData(cursor, bytes, key + HEADER, mask + HEADER, size);
      continue;
    }
    const start = cursor.wordStart;
    const index = FIELDS.findOrFail(cursor);
    if (((seen >>> index) & 1) === 1) cursor.fail("each field once", start);
    if (data) cursor.fail("the fields before the data", start);
    seen |= 1 << index;
    cursor.expect(EQUALS, "=");
    if (index < 2) {
      parseField(cursor, index === 0 ? CLASS : TYPE, bytes, key, mask, undefined);
      continue;
    }
    const at = cursor.position;
    size = cursor.integer(DATA_MAX, EXPECTED_LENGTH);
    if ((size & 3) !== 0) cursor.fail(EXPECTED_LENGTH, at);
    if (size > room) cursor.fail("at most 255 bytes of options", at);
    setField(LENGTH, bytes, key, size >> 2);
    const bits = cursor.take(SLASH) ? cursor.integer(0xff, "a mask of one byte") : 0xff;
    setField(LENGTH, bytes, mask, bits & LENGTH.max);
  } while (cursor.take(COMMA));
  return size;
}

function parseData(
  cursor: Cursor,
  bytes: Uint8Array,
  key: number,
  mask: number,
  size: number,
): void {
  parseBigEndian(cursor, bytes, key, size, EXPECTED_DATA);
  if (cursor.take(SLASH)) parseBigEndian(cursor, bytes, mask, size, EXPECTED_DATA);
  else bytes.fill(0xff, mask, mask + size);
}

/**
 * Clears the reserved bits in the options' mask: text cannot express them, and no option uses them.
 */
export function unmaskReservedBits(
  bytes: Uint8Array,
  key: number,
  mask: number,
  length: number,
): void {
  for (let at = 0; at + HEADER <= length;) {
    bytes[mask + at + LENGTH.offset] = LENGTH.max;
    at += HEADER + getField(LENGTH, bytes, key + at) * 4;
  }
}

/** Whether every part of every option is matched exactly, or is zero. */
export function isGeneveExact(
  bytes: Uint8Array,
  key: number,
  mask: number,
  length: number,
): boolean {
  for (let at = 0; at + HEADER <= length;) {
    const size = getField(LENGTH, bytes, key + at) * 4;
    for (const field of [CLASS, TYPE, LENGTH])
      if (!isFieldExact(field, bytes, key + at, mask + at)) return false;
    if (!areBytesExact(bytes, key + at + HEADER, mask + at + HEADER, size)) return false;
    at += HEADER + size;
  }
  return true;
}

/** Prints options as {@link parseGeneve} reads them. */
export function printGeneve(
  out: TextSink,
  bytes: Uint8Array,
  key: number,
  mask: number,
  length: number,
  style: PrintStyle,
): void {
  let at = 0;
  while (at + HEADER <= length) {
    const size = Math.min(getField(LENGTH, bytes, key + at) * 4, length - at - HEADER);
    out.byte(OPEN_BRACE);
    printHeader(out, bytes, key + at, mask + at, size, style);
    const data = at + HEADER;
    if (size > 0 && (style.verbose || !isZero(bytes, mask + data, size))) {
      out.byte(COMMA);
      printHex(out, bytes, key + data, size);
      if (!areOnes(bytes, mask + data, size)) {
        out.byte(SLASH);
        printHex(out, bytes, mask + data, size);
      }
    }
    out.byte(CLOSE_BRACE);
    at += HEADER + size;
  }
}

/**
 * Prints the header of an option. The length is printed even if it is wildcarded, since it delimits
 * the option.
 */
function printHeader(
  out: TextSink,
  bytes: Uint8Array,
  key: number,
  mask: number,
  size: number,
  style: PrintStyle,
): void {
  for (const field of [CLASS, TYPE]) {
    if (!style.verbose && getField(field, bytes, mask) === 0) continue;
    out.text(field.name);
    out.byte(EQUALS);
    printField(out, field, bytes, key, mask, style);
    out.byte(COMMA);
  }
  out.text("len=");
  out.dec(size);
  const bits = getField(LENGTH, bytes, mask);
  if (bits === LENGTH.max) return;
  out.byte(SLASH);
  out.hex(bits);
}

/** Prints bytes as one hexadecimal number, without leading zeros. */
function printHex(out: TextSink, bytes: Uint8Array, at: number, size: number): void {
  let from = at;
  while (from < at + size && bytes[from] === 0) from++;
  if (from === at + size) {
    out.byte(0x30);
    return;
  }
  out.hex(bytes[from]!);
  out.hexBytes(bytes, from + 1, at + size);
}
