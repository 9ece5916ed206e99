import {
  OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS,
  OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS,
  OVS_TUNNEL_KEY_ATTR_ID,
  OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS,
} from "../../uapi/openvswitch.ts";
import { isZero } from "../bytes.ts";
import { readContainer } from "../text/field.ts";
import type { HashedWords } from "./hashed-words.ts";
import { type KeyRecord, keyOffset, maskOffset } from "./record.ts";
import { SLOT_TUNNEL } from "./slots.ts";
import { OVS_VXLAN_EXT_GBP } from "./tunnel-encode.ts";
import * as T from "./tunnel-fields.ts";

/**
 * A part of a tunnel that is an attribute in its nest: a field, a flag or options, with its type.
 */
type Member =
  | { readonly kind: "field"; readonly type: number; readonly index: number }
  | { readonly kind: "flag"; readonly type: number; readonly flag: number }
  | { readonly kind: "geneve" | "vxlan" | "erspan"; readonly type: number };

/** All of them, in ascending type. */
const MEMBERS: readonly Member[] = [
  ...T.TUNNEL_FIELD_TYPES.map((type, index) => ({ kind: "field", type, index }) as const),
  ...T.TUNNEL_FLAG_TYPES.map(([flag, type]) => ({ kind: "flag", type, flag }) as const),
  { kind: "geneve", type: OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS } as const,
  { kind: "vxlan", type: OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS } as const,
  { kind: "erspan", type: OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS } as const,
].toSorted((a, b) => a.type - b.type);

/** Adds the members of a tunnel that are matched, in ascending type. */
export function hashTunnel(record: KeyRecord, out: HashedWords): void {
  const key = keyOffset(0, SLOT_TUNNEL);
  const mask = maskOffset(0, SLOT_TUNNEL);
  const { bytes } = record;
  const present = readContainer(bytes, key + T.TUNNEL_PRESENT, 4, false);
  for (const member of MEMBERS) {
    switch (member.kind) {
      case "field":
        hashField(record, present, key, mask, member.index, out);
        break;
      case "flag":
        if ((bytes[mask + T.TUNNEL_FLAGS]! & member.flag) === 0) break;
        out.flag(member.type, (bytes[key + T.TUNNEL_FLAGS]! & member.flag) !== 0);
        break;
      default:
        hashOptions(record, present, key, mask, member, out);
    }
  }
}

/** Adds a field if any of its bits is matched; for the tunnel id, its presence suffices. */
function hashField(
  record: KeyRecord,
  present: number,
  key: number,
  mask: number,
  index: number,
  out: HashedWords,
): void {
  const { bytes } = record;
  const { offset, size } = T.TUNNEL_FIELDS[index]!;
  const bit = 1 << index;
  const isId = bit === T.TUNNEL_HAS_ID && (present & bit) !== 0;
  if (isId || !isZero(bytes, mask + offset, size)) {
    out.member(record, T.TUNNEL_FIELD_TYPES[index]!, size, key + offset, mask + offset);
  } else if (bit === T.TUNNEL_HAS_ID && (bytes[mask + T.TUNNEL_FLAGS]! & T.TUNNEL_F_KEY) !== 0) {
    // `-key`: there is no tunnel id.
    out.bare(OVS_TUNNEL_KEY_ATTR_ID);
  }
}

/**
 * Adds options with their length, whatever bits of them are matched. A kernel does not dump empty
 * Geneve options.
 */
function hashOptions(
  record: KeyRecord,
  present: number,
  key: number,
  mask: number,
  { kind, type }: Member,
  out: HashedWords,
): void {
  const from = key + T.TUNNEL_OPTIONS;
  const maskFrom = mask + T.TUNNEL_OPTIONS;
  if (kind === "geneve" && (present & T.TUNNEL_HAS_GENEVE) !== 0) {
    const length = readContainer(record.bytes, key + T.TUNNEL_OPTIONS_LENGTH, 2, false);
    if (length > 0) out.member(record, type, length, from, maskFrom);
  } else if (kind === "vxlan" && (present & T.TUNNEL_HAS_VXLAN) !== 0) {
    const nest = out.nest(type);
    out.member(record, OVS_VXLAN_EXT_GBP, 4, key + T.TUNNEL_GBP, mask + T.TUNNEL_GBP);
    out.endNest(nest, true);
  } else if (kind === "erspan" && (present & T.TUNNEL_HAS_ERSPAN) !== 0) {
    out.member(record, type, T.ERSPAN_SIZE, from, maskFrom);
  }
}
