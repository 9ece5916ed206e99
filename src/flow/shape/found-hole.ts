import type { ByteRange } from "../parts.ts";
import type { KeyRecord } from "../key/record.ts";
import type { UfidSeed } from "../key/ufid.ts";
import type { Field } from "../text/field.ts";
import * as H from "./hole.ts";
import type { Hole } from "./hole.ts";
import type { KeyValue } from "./holes.ts";

/** A line that was encoded on its own: what a layout is made from. */
export type EncodedLine = {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Where its `ufid:` names one; -1 where it does not. */
  readonly ufidStart: number;
  readonly ufidEnd: number;
  readonly keyStart: number;
  /** Start and end of each counter of a dump. */
  readonly statistics: Int32Array;
  /** Where its actions are; both equal where it has none. */
  readonly actionsStart: number;
  readonly actionsEnd: number;
  /** It is a line of a dump, which is completed by what its types and protocols call for. */
  readonly isDump: boolean;
  /** Key and mask, in normal form. */
  readonly record: KeyRecord;
  /** What its UFID begins with, where that is a hash. */
  readonly seed: UfidSeed;
  /** UFID, KEY, MASK and ACTIONS, all that apply; the KEY of a delete even where it is not appended. */
  readonly message: Uint8Array;
  /** How much of the message the line is. */
  readonly length: number;
};

/** A hole, and what it is. */
export type FoundHole = {
  readonly hole: Hole;
  /** The field of the key; undefined outside the key. */
  readonly field: Field | undefined;
  /** Where its bytes are in the record; -1 outside the key. */
  readonly recordAt: number;
};

/** A hole that is no field of the key: its text is `start` to `end` of the line. */
export function keyless(
  line: EncodedLine,
  { start, end }: Readonly<ByteRange>,
  { kind, at, size }: Pick<Hole, "kind" | "at" | "size">,
): FoundHole {
  const hole: Hole = {
    kind,
    textStart: start - line.start,
    textEnd: end - line.start,
    at,
    size,
    max: 0xffff_ffff,
    shift: 0,
    mask: undefined,
    nonzero: false,
    decimal: false,
  };
  return { hole, field: undefined, recordAt: -1 };
}

/** The kind of hole that a value is; -1 where it is better left text. */
export function kindOf(value: KeyValue): number {
  const { field } = value;
  if (field.kind === "ipv4") return H.HOLE_IPV4;
  if (field.kind === "ipv6") return H.HOLE_IPV6;
  if (field.kind === "mac") return H.HOLE_MAC;
  if (field.kind === "number64") return H.HOLE_BE64;
  if (field.kind !== "number" && field.kind !== "port") return -1;
  if (value.shared) return field.size === 2 ? H.HOLE_BITS16 : H.HOLE_BITS32;
  if (field.size === 1) return H.HOLE_U8;
  if (field.size === 2) return field.bigEndian ? H.HOLE_BE16 : H.HOLE_LE16;
  if (field.size === 4) return field.bigEndian ? H.HOLE_BE32 : H.HOLE_LE32;
  return -1;
}

const DECIMAL = /^(0|[1-9][0-9]{0,14})$/;
const HEXADECIMAL = /^0x[0-9a-fA-F]{1,13}$/;

/** A number that is not octal; addresses are looked at when they are read. */
export function isPlain(bytes: Uint8Array, start: number, end: number, kind: number): boolean {
  if (kind >= H.HOLE_IPV4 && kind !== H.HOLE_BE64) return true;
  const text = String.fromCharCode(...bytes.subarray(start, end));
  return DECIMAL.test(text) || HEXADECIMAL.test(text);
}
