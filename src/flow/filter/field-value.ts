import { align } from "../../netlink/align.ts";
import type { PortNames } from "../ports.ts";
import type { Cursor } from "../text/cursor.ts";
import { parseField } from "../text/field-parse.ts";
import { type Field, holdsNumber, setField, setFull } from "../text/field.ts";
import { CLOSE } from "../text/ascii.ts";

/**
 * A value and a mask of a field, as words of its container. The first is word
 * {@link FieldValue.word} of the payload. All arrays have the same length.
 */
export type FieldValue = {
  readonly word: number;
  readonly value: Int32Array;
  readonly mask: Int32Array;
  /** The mask of an exact match. */
  readonly full: Int32Array;
  /** A payload that holds the value. */
  readonly payload: Uint8Array;
};

/** Reads `VALUE[/MASK]` as in a flow's text. @throws FlowSyntaxError */
export function parseFieldValue(
  cursor: Cursor,
  field: Field,
  ports: PortNames | undefined,
): FieldValue {
  // In a flow's text, an empty value would be an empty list of flags.
  if (cursor.position === cursor.end || cursor.peek() === CLOSE) cursor.fail("a value");
  const size = align(field.offset + field.size);
  const bytes = new Uint8Array(size * 2);
  parseField(cursor, field, bytes, 0, size, ports);
  return {
    word: field.offset >> 2,
    value: wordsOf(bytes, 0, field),
    mask: wordsOf(bytes, size, field),
    full: fullWords(field),
    payload: bytes.subarray(0, size),
  };
}

/** The mask implied by text without a mask. */
function fullWords(field: Field): Int32Array {
  const bytes = new Uint8Array(align(field.offset + field.size));
  setFull(field, bytes, 0);
  return wordsOf(bytes, 0, field);
}

/** The mask with all bits of a field. */
export function allWords(field: Field): Int32Array {
  const bytes = new Uint8Array(align(field.offset + field.size));
  if (holdsNumber(field)) setField(field, bytes, 0, field.max);
  else bytes.fill(0xff, field.offset, field.offset + field.size);
  return wordsOf(bytes, 0, field);
}

function wordsOf(bytes: Uint8Array, base: number, field: Field): Int32Array {
  const from = base + (field.offset & ~3);
  const end = base + align(field.offset + field.size);
  return new Int32Array(bytes.slice(from, end).buffer);
}

/** Whether two arrays of words are equal. */
export function sameWords(a: Int32Array, b: Int32Array): boolean {
  return a.every((word, i) => word === b[i]);
}
