import { getField, type Field } from "../text/field.ts";
import { type KeyRecord, keyOffset, maskOffset } from "../key/record.ts";
import { SLOT_TUNNEL } from "../key/slots.ts";
import * as T from "../key/tunnel-fields.ts";

/** A part of tunnel() with a name in filters. */
export type TunnelPart = {
  /** What follows `tunnel.` */
  readonly name: string;
  /** Undefined for options, which are only present or absent. */
  readonly field: Field | undefined;
  /** Its bit of TUNNEL_PRESENT. */
  readonly bit: number;
  /** The bits of parts that exclude it. */
  readonly others: number;
  /** The version of ERSPAN that has it; 0 for other parts. */
  readonly version: number;
};

const IPV4 = T.TUNNEL_HAS_SRC | T.TUNNEL_HAS_DST;
const IPV6 = T.TUNNEL_HAS_SRC6 | T.TUNNEL_HAS_DST6;

/** All parts of tunnel() that have a name in filters; those of OVS's userspace datapath have none. */
export const TUNNEL_PARTS: readonly TunnelPart[] = [
  ...T.TUNNEL_FIELDS.map((field, index) => {
    const bit = 1 << index;
    const others = (bit & IPV4) !== 0 ? IPV6 : (bit & IPV6) !== 0 ? IPV4 : 0;
    return { name: field.name, field, bit, others, version: 0 };
  }),
  { name: "flags", field: T.TUNNEL_FLAGS_FIELD, bit: T.TUNNEL_HAS_FLAGS, others: 0, version: 0 },
  options("geneve", undefined, T.TUNNEL_HAS_GENEVE),
  options("vxlan", undefined, T.TUNNEL_HAS_VXLAN),
  ...T.VXLAN_GBP_FIELDS.map((field) =>
    options(`vxlan.gbp.${field.name}`, field, T.TUNNEL_HAS_VXLAN),
  ),
  options("erspan", undefined, T.TUNNEL_HAS_ERSPAN),
  options(`erspan.${T.ERSPAN_VERSION.name}`, T.ERSPAN_VERSION, T.TUNNEL_HAS_ERSPAN),
  ...[1, 2].flatMap((version) =>
    T.erspanFields(version).map((field) =>
      options(`erspan.${field.name}`, field, T.TUNNEL_HAS_ERSPAN, version),
    ),
  ),
];

function options(name: string, field: Field | undefined, bit: number, version = 0): TunnelPart {
  return { name, field, bit, others: T.TUNNEL_HAS_OPTIONS & ~bit, version };
}

/** Whether the tunnel of a key has a part. The key must have a tunnel. */
export function hasPart({ bytes, ints }: KeyRecord, { bit, version }: TunnelPart): boolean {
  const key = keyOffset(0, SLOT_TUNNEL);
  const present = ints[(key + T.TUNNEL_PRESENT) >> 2] ?? 0;
  return (present & bit) !== 0 && (version === 0 || isVersion(bytes, key, version));
}

/** Whether packets of a key that has a tunnel, but not this part of it, may have it. */
export function mayHavePart({ bytes, ints }: KeyRecord, part: TunnelPart): boolean {
  const key = keyOffset(0, SLOT_TUNNEL);
  const present = ints[(key + T.TUNNEL_PRESENT) >> 2] ?? 0;
  // The options have another version.
  if ((present & part.bit) !== 0) return false;
  return (present & part.others) === 0 && !(part.bit === T.TUNNEL_HAS_ID && hasNoId(bytes));
}

function isVersion(bytes: Uint8Array, key: number, version: number): boolean {
  return getField(T.ERSPAN_VERSION, bytes, key) === version;
}

/** Whether `flags(-key)` says that the packets have no tunnel id. */
function hasNoId(bytes: Uint8Array): boolean {
  const flags = keyOffset(0, SLOT_TUNNEL) + T.TUNNEL_FLAGS;
  const mask = maskOffset(0, SLOT_TUNNEL) + T.TUNNEL_FLAGS;
  const isKnown = ((bytes[mask] ?? 0) & T.TUNNEL_F_KEY) !== 0;
  return isKnown && ((bytes[flags] ?? 0) & T.TUNNEL_F_KEY) === 0;
}
