import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import {
  OVS_KEY_ATTR_TUNNEL,
  OVS_TUNNEL_KEY_ATTR_CSUM,
  OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT,
  OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS,
  OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS,
  OVS_TUNNEL_KEY_ATTR_ID,
  OVS_TUNNEL_KEY_ATTR_IPV4_INFO_BRIDGE,
  OVS_TUNNEL_KEY_ATTR_OAM,
  OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS,
} from "../../uapi/openvswitch.ts";
import { isZero } from "../bytes.ts";
import { readContainer } from "../text/field.ts";
import { keyOffset, type KeyRecord, maskOffset } from "./record.ts";
import { SLOT_TUNNEL } from "./slots.ts";
import * as T from "./tunnel-fields.ts";

// Writes the tunnel of a key record as its nest of attributes.

/** `OVS_VXLAN_EXT_GBP` of linux/openvswitch.h. */
export const OVS_VXLAN_EXT_GBP = 1;

const NO_ID: Uint8Array = new Uint8Array(8);

/** Fields of TUNNEL_FIELDS before and after the flags, in the order in which the kernel dumps them. */
const TTL_INDEX = 6;

/** Writes the TUNNEL nest: its key half or its mask half. */
export function writeTunnel(record: KeyRecord, isMask: boolean, writer: AttributeWriter): void {
  const bytes = record.bytes;
  const key = keyOffset(0, SLOT_TUNNEL);
  const base = isMask ? maskOffset(0, SLOT_TUNNEL) : key;
  const present = readContainer(bytes, key + T.TUNNEL_PRESENT, 4, false);
  const flags = bytes[base + T.TUNNEL_FLAGS]!;
  const mark = writer.nest(OVS_KEY_ATTR_TUNNEL);
  for (let index = 0; index <= TTL_INDEX; index++) writeField(writer, bytes, base, present, index);
  // `-key`: a mask without a key.
  if (isMask && (flags & T.TUNNEL_F_KEY) !== 0 && (present & T.TUNNEL_HAS_ID) === 0) {
    writer.bytes(OVS_TUNNEL_KEY_ATTR_ID, NO_ID);
  }
  if ((flags & T.TUNNEL_F_DF) !== 0) writer.flag(OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT);
  if ((flags & T.TUNNEL_F_CSUM) !== 0) writer.flag(OVS_TUNNEL_KEY_ATTR_CSUM);
  for (let index = TTL_INDEX + 1; index < T.TUNNEL_FIELDS.length; index++) {
    writeField(writer, bytes, base, present, index);
  }
  if ((flags & T.TUNNEL_F_OAM) !== 0) writer.flag(OVS_TUNNEL_KEY_ATTR_OAM);
  if ((flags & T.TUNNEL_F_BRIDGE) !== 0) writer.flag(OVS_TUNNEL_KEY_ATTR_IPV4_INFO_BRIDGE);
  writeOptions(writer, bytes, key, base, present);
  writer.endNest(mark);
}

/**
 * Writes a field. Zero is not sent, just as the kernel does not dump it, except for the tunnel id
 * and the time to live.
 */
function writeField(
  writer: AttributeWriter,
  bytes: Uint8Array,
  base: number,
  present: number,
  index: number,
): void {
  const bit = 1 << index;
  if ((present & bit) === 0) return;
  const field = T.TUNNEL_FIELDS[index]!;
  const from = base + field.offset;
  const always = bit === T.TUNNEL_HAS_ID || bit === T.TUNNEL_HAS_TTL;
  if (!always && isZero(bytes, from, field.size)) return;
  writer.bytes(T.TUNNEL_FIELD_TYPES[index]!, bytes, from, from + field.size);
}

function writeOptions(
  writer: AttributeWriter,
  bytes: Uint8Array,
  key: number,
  base: number,
  present: number,
): void {
  const from = base + T.TUNNEL_OPTIONS;
  if ((present & T.TUNNEL_HAS_GENEVE) !== 0) {
    const length = readContainer(bytes, key + T.TUNNEL_OPTIONS_LENGTH, 2, false);
    writer.bytes(OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS, bytes, from, from + length);
  } else if ((present & T.TUNNEL_HAS_VXLAN) !== 0) {
    const mark = writer.nest(OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS);
    writer.u32(OVS_VXLAN_EXT_GBP, readContainer(bytes, base + T.TUNNEL_GBP, 4, false));
    writer.endNest(mark);
  } else if ((present & T.TUNNEL_HAS_ERSPAN) !== 0) {
    writer.bytes(OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS, bytes, from, from + T.ERSPAN_SIZE);
  }
}
