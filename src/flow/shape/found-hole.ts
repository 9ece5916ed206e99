import type { ByteRange } from "../parts.ts";
import type { KeyRecord } from "../key/record.ts";
import type { UfidSeed } from "../key/ufid.ts";
import type { Field } from "../text/field.ts";
import * as H from "./hole.ts";
import type { Hole } from "./hole.ts";
import type { KeyValue } from "./holes.ts";

/** A line that was encoded the slow way, from which a layout is made. */
export type EncodedLine = {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** The range of its UFID in the text; -1 if it has none. */
  readonly ufidStart: number;
  readonly ufidEnd: number;
  readonly keyStart: number;
  /** Start and end of each counter of a dump. */
  readonly statistics: Int32Array;
  /** The range of its actions; empty if it has none. */
  readonly actionsStart: number;
  readonly actionsEnd: number;
  /**
   * Whether it is a line of a dump, to which the headers that its types and protocols require are
   * added.
   */
  readonly isDump: boolean;
  /** Key and mask, in normal form. */
  readonly record: KeyRecord;
  /** The seed of its UFID, if that is a hash. */
  readonly seed: UfidSeed;
  /**
   * UFID, KEY, MASK and ACTIONS, as far as present; includes the KEY of a delete even if it is not
   * appended.
   */
  readonly message: Uint8Array;
  /** The bytes of the message that the line appends. */
  readonly length: number;
};

/** A hole, and the field that it holds. */
export type FoundHole = {
  readonly hole: Hole;
  /** The field of the key; undefined outside the key. */
  readonly field: Field | undefined;
  /** The offset of its bytes in the record; -1 outside the key. */
  readonly recordAt: number;
};

/** A hole outside the key: its text is `start` to `end` of the line. */
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

/** The kind of hole for a value; -1 if it should stay constant text. */
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

/** Whether a number is not octal; addresses are checked when they are read. */
export function isPlain(bytes: Uint8Array, start: number, end: number, kind: number): boolean {
  if (kind >= H.HOLE_IPV4 && kind !== H.HOLE_BE64) return true;
  const text = String.fromCharCode(...bytes.subarray(start, end));
  return DECIMAL.test(text) || HEXADECIMAL.test(text);
}
