// Kinds of holes: how the value is read, and how it is written into the message.
export const HOLE_U8 = 0;
export const HOLE_BE16 = 1;
export const HOLE_BE32 = 2;
export const HOLE_LE16 = 3;
export const HOLE_LE32 = 4;
/** Some bits of 16 or 32 in network order; the others belong to other fields. */
export const HOLE_BITS16 = 5;
export const HOLE_BITS32 = 6;
export const HOLE_IPV4 = 7;
// From here on, a value is bytes rather than a 32-bit number.
export const HOLE_BE64 = 8;
export const HOLE_MAC = 9;
export const HOLE_IPV6 = 10;
/** The UFID that a line names. */
export const HOLE_UUID = 11;
/** A word that is not in the message: a counter of a dump. */
export const HOLE_SKIP = 12;
/** The same in JSON: a number, or a string without escapes. */
export const HOLE_SKIP_JSON = 13;

/** The most bytes of a value. */
export const VALUE_MAX = 16;

/** A value that may differ from one flow of a layout to the next. */
export type Hole = {
  readonly kind: number;
  /** The range of the value in the text of the line from which the layout was made. */
  readonly textStart: number;
  readonly textEnd: number;
  /** The range of its bytes in the message. */
  readonly at: number;
  readonly size: number;
  /** The largest value of a number. */
  readonly max: number;
  /** For some bits: the position of the lowest. */
  readonly shift: number;
  /** The mask applied to the bytes; undefined if it is all ones. */
  readonly mask: Uint8Array | undefined;
  /** Whether zero is not allowed, because it would give the message another form. */
  readonly nonzero: boolean;
  /** Whether `0x` is not allowed, as in a JSON number. */
  readonly decimal: boolean;
};

/** What is skipped in JSON: a whole number, one that may have a fraction, or a string. */
export type SkippedJson = "whole" | "number" | "string";
export const SKIPPED_JSON: readonly SkippedJson[] = ["whole", "number", "string"];

/** A hole that is not in the message; for {@link HOLE_SKIP_JSON}, `max` holds what is skipped. */
export function skippedHole(
  kind: number,
  textStart: number,
  textEnd: number,
  json: SkippedJson,
): Hole {
  return {
    kind,
    textStart,
    textEnd,
    at: 0,
    size: 0,
    max: SKIPPED_JSON.indexOf(json),
    shift: 0,
    mask: undefined,
    nonzero: false,
    decimal: false,
  };
}

/** Whether a hole is some bits of its bytes. */
export function isBits(kind: number): boolean {
  return kind === HOLE_BITS16 || kind === HOLE_BITS32;
}

/** Clears bits of a number of `size` bytes in network order, and keeps the other fields' bits. */
export function clearBits(out: Uint8Array, at: number, size: number, bits: number): void {
  for (let i = 0; i < size; i++) {
    out[at + i] = out[at + i]! & ~(bits >>> ((size - 1 - i) * 8));
  }
}

/**
 * Writes a number of at most 32 bits into a hole; for some bits, the other bits must be there
 * already.
 */
export function putNumber(
  out: Uint8Array,
  at: number,
  kind: number,
  value: number,
  shift: number,
): void {
  switch (kind) {
    case HOLE_U8:
      out[at] = value;
      return;
    case HOLE_BE16:
      out[at] = value >>> 8;
      out[at + 1] = value;
      return;
    case HOLE_LE16:
      out[at] = value;
      out[at + 1] = value >>> 8;
      return;
    case HOLE_LE32:
      out[at] = value;
      out[at + 1] = value >>> 8;
      out[at + 2] = value >>> 16;
      out[at + 3] = value >>> 24;
      return;
    case HOLE_BITS16: {
      const bits = value << shift;
      out[at] = out[at]! | (bits >>> 8);
      out[at + 1] = out[at + 1]! | bits;
      return;
    }
    case HOLE_BITS32: {
      const bits = value << shift;
      out[at] = out[at]! | (bits >>> 24);
      out[at + 1] = out[at + 1]! | (bits >>> 16);
      out[at + 2] = out[at + 2]! | (bits >>> 8);
      out[at + 3] = out[at + 3]! | bits;
      return;
    }
    default:
      out[at] = value >>> 24;
      out[at + 1] = value >>> 16;
      out[at + 2] = value >>> 8;
      out[at + 3] = value;
  }
}
