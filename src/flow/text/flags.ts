import type { Cursor } from "./cursor.ts";
import { type Field, getField, rangeTo, setField } from "./field.ts";
import type { TextSink } from "./sink.ts";
import { WordTable } from "./words.ts";
import { BAR, CLOSE, CLOSE_BRACKET, DASH, HEX_VALUE, OPEN_BRACKET, PLUS, SLASH } from "./ascii.ts";

// Reads and prints named bits.

const TABLES = new WeakMap<Field, WordTable>();

function tableOf(field: Field): WordTable {
  let table = TABLES.get(field);
  if (table === undefined) {
    table = new WordTable(field.words.map((name) => name ?? ""));
    TABLES.set(field, table);
  }
  return table;
}

/**
 * Reads flags in the three forms of the language: `a|b` (all flags are matched), `+a-b` (only the
 * named ones are matched) and `value/mask`; up to the closing parenthesis, which it does not skip.
 */
export function parseFlags(
  cursor: Cursor,
  field: Field,
  bytes: Uint8Array,
  key: number,
  mask: number,
): void {
  const start = cursor.position;
  const next = cursor.peek();
  if (next === PLUS || next === DASH) {
    parseSigned(cursor, field, bytes, key, mask);
    return;
  }
  let value = 0;
  let bits = field.full;
  if (next !== CLOSE) {
    do {
      const digit = HEX_VALUE[cursor.peek()] ?? 255;
      if (digit < 10) {
        value |= cursor.integer(field.max, expectedOf(field));
        if (cursor.take(SLASH)) {
          bits = cursor.integer(field.max, rangeTo(field.max));
          break;
        }
      } else {
        value |= parseFlag(cursor, field);
      }
    } while (cursor.take(BAR));
  }
  const known = field.words.length >= 32 ? 0xffff_ffff : 2 ** field.words.length - 1;
  if (((value | bits) & ~known) !== 0) cursor.fail("flags that are known here", start);
  setField(field, bytes, key, value >>> 0);
  setField(field, bytes, mask, bits >>> 0);
}

/** What is expected in place of a flag, in words. */
function expectedOf(field: Field): string {
  return EXPECTED[field.bits] ?? "";
}

const EXPECTED: readonly string[] = Array.from(
  { length: 33 },
  (_, bits) => `a flag's name or ${rangeTo(2 ** bits - 1)}`,
);

function parseSigned(
  cursor: Cursor,
  field: Field,
  bytes: Uint8Array,
  key: number,
  mask: number,
): void {
  let value = 0;
  let bits = 0;
  for (;;) {
    const next = cursor.peek();
    if (next !== PLUS && next !== DASH) break;
    cursor.position++;
    const at = cursor.position;
    const bit = parseFlag(cursor, field);
    if ((bits & bit) !== 0) cursor.fail("each flag once", at);
    bits |= bit;
    if (next === PLUS) value |= bit;
  }
  setField(field, bytes, key, value >>> 0);
  setField(field, bytes, mask, bits >>> 0);
}

/** Reads one flag: its name, or `[hex]` for a bit without a name. @returns its bit */
function parseFlag(cursor: Cursor, field: Field): number {
  const start = cursor.position;
  if (cursor.take(OPEN_BRACKET)) {
    let value = 0;
    while ((HEX_VALUE[cursor.peek()] ?? 255) < 16) {
      value = value * 16 + (HEX_VALUE[cursor.peek()] ?? 0);
      cursor.position++;
      if (value > field.max) cursor.fail("a bit of this field", start);
    }
    cursor.expect(CLOSE_BRACKET, "a closing ]");
    const single = value !== 0 && (value & (value - 1)) === 0;
    if (!single || 31 - Math.clz32(value) >= field.words.length) {
      cursor.fail("a bit of this field", start);
    }
    return value;
  }
  const table = tableOf(field);
  if (cursor.word() === 0) cursor.fail(expectedOf(field), start);
  const index = table.find(cursor);
  if (index < 0) cursor.fail("a flag that is known here", start, table.nearest(cursor.wordText()));
  return (1 << index) >>> 0;
}

/** Prints flags: all matched `a|b`, some matched `+a-b`, none matched `0/0`, none set `0`. */
export function printFlags(
  out: TextSink,
  field: Field,
  bytes: Uint8Array,
  key: number,
  mask: number,
): void {
  printFlagBits(out, field, getField(field, bytes, key), getField(field, bytes, mask));
}

/** As {@link printFlags}, from a value and a mask. */
export function printFlagBits(out: TextSink, field: Field, value: number, mask: number): void {
  if (mask === field.exact) {
    if (value === 0) out.byte(0x30);
    let left = value;
    while (left !== 0) {
      const bit = 31 - Math.clz32(left & -left);
      printFlag(out, field, bit);
      left &= left - 1;
      if (left !== 0) out.byte(BAR);
    }
    return;
  }
  if (mask === 0) {
    out.text("0/0");
    return;
  }
  printSignedFlags(out, field, value, mask);
}

/** Prints flags as `+a-b`, even if all of them are matched. */
export function printSignedFlags(out: TextSink, field: Field, value: number, mask: number): void {
  for (let left = mask; left !== 0; left &= left - 1) {
    const bit = 31 - Math.clz32(left & -left);
    out.byte(((value >>> bit) & 1) === 1 ? PLUS : DASH);
    printFlag(out, field, bit);
  }
}

function printFlag(out: TextSink, field: Field, bit: number): void {
  const name = field.words[bit];
  if (name !== undefined) {
    out.text(name);
    return;
  }
  out.byte(OPEN_BRACKET);
  const value = 2 ** bit;
  out.hexDigits(value, Math.floor(bit / 4) + 1);
  out.byte(CLOSE_BRACKET);
}
