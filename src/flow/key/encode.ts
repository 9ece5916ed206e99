import { type AttributeWriter, NLA_HEADER } from "../../netlink/attribute-writer.ts";
import {
  OVS_KEY_ATTR_ENCAP,
  OVS_KEY_ATTR_ETHERTYPE,
  OVS_NSH_KEY_ATTR_BASE,
  OVS_NSH_KEY_ATTR_MD1,
} from "../../uapi/openvswitch.ts";
import { ETH_P_8021Q } from "../../uapi/packet.ts";
import { be16At, isZero } from "../bytes.ts";
import { isAnyTag } from "./any-tag.ts";
import { LEVELS, lowestSlot, SLOT_UNKNOWN, SLOT_WORDS } from "./levels.ts";
import { keyOffset, type KeyRecord, maskOffset } from "./record.ts";
import {
  SLOT_ENCAP,
  SLOT_ETHERTYPE,
  SLOT_IN_PORT,
  SLOT_MPLS,
  SLOT_NSH,
  SLOT_TCP_FLAGS,
  SLOT_TUNNEL,
  SLOT_VLAN,
  NO_PORT,
} from "./slots.ts";
import { KEY_BY_SLOT, SIZE_OF_SLOT, TYPE_OF_SLOT } from "./table.ts";
import { writeTunnel } from "./tunnel-encode.ts";

// Writes a key record as netlink attributes.

const NSH_BASE_SIZE = 8;
const NSH_MD1_SIZE = 16;
const NSH_M_TYPE1 = 1;

/** All TCP flags. */
const TCP_FLAGS_ALL = 0x0fff;

/** Writes the key's attributes, in normal form, into an open nest. */
export function writeKey(record: KeyRecord, writer: AttributeWriter): void {
  writeLevel(record, 0, false, writer);
}

/** Writes the mask's attributes, in normal form, leaving out those that are all zero. */
export function writeMask(record: KeyRecord, writer: AttributeWriter): void {
  writeLevel(record, 0, true, writer);
}

function writeLevel(
  record: KeyRecord,
  level: number,
  isMask: boolean,
  writer: AttributeWriter,
): void {
  const anyTag = isAnyTag(record, level);
  for (let at = level * SLOT_WORDS; at < (level + 1) * SLOT_WORDS; at++) {
    for (let left = record.present[at]!; left !== 0; left &= left - 1) {
      const slot = lowestSlot(at, left);
      if (HAS_RULE[slot] === 1) writeByRule(record, level, slot, isMask, anyTag, writer);
      else if (!isMask) copyHalf(record, slot, keyOffset(level, slot), SIZE_OF_SLOT[slot]!, writer);
      else if (!record.isWild(level, slot))
        copyHalf(record, slot, maskOffset(level, slot), SIZE_OF_SLOT[slot]!, writer);
    }
  }
}

/** 1 for attributes that are not simply copied, or that no kernel has. */
const HAS_RULE: Uint8Array = Uint8Array.from(KEY_BY_SLOT, (key) =>
  key?.where === "kernel" ? 0 : 1,
);
for (const slot of [
  SLOT_TUNNEL,
  SLOT_IN_PORT,
  SLOT_ETHERTYPE,
  SLOT_VLAN,
  SLOT_ENCAP,
  SLOT_NSH,
  SLOT_MPLS,
  SLOT_TCP_FLAGS,
]) {
  HAS_RULE[slot] = 1;
}

function writeByRule(
  record: KeyRecord,
  level: number,
  slot: number,
  isMask: boolean,
  anyTag: boolean,
  writer: AttributeWriter,
): void {
  if (slot === SLOT_ENCAP) {
    if (anyTag && isMask) writeLevel(record, level + 1, true, writer);
    else writeEncap(record, level, isMask, writer);
  } else if (anyTag && (slot === SLOT_ETHERTYPE || (isMask && slot === SLOT_VLAN))) {
    // Any tag type will do: the kernel requires a type in the key and none in the mask.
    if (!isMask) writer.be16(OVS_KEY_ATTR_ETHERTYPE, ETH_P_8021Q);
  } else if (slot === SLOT_UNKNOWN) {
    writeUnknown(record, level, isMask, writer);
  } else if (!isMask || slot === SLOT_TUNNEL || !record.isWild(level, slot)) {
    writeAttribute(record, level, slot, isMask, writer);
  }
}

function writeEncap(
  record: KeyRecord,
  level: number,
  isMask: boolean,
  writer: AttributeWriter,
): void {
  const start = writer.position;
  const mark = writer.nest(OVS_KEY_ATTR_ENCAP);
  if (level + 1 < LEVELS) writeLevel(record, level + 1, isMask, writer);
  // An empty mask counts as none, and a tag is matched only by a mask with an ENCAP.
  const isEmpty = writer.position - start === NLA_HEADER;
  if (isMask && isEmpty && !record.isWild(level, SLOT_VLAN)) writer.be16(OVS_KEY_ATTR_ETHERTYPE, 0);
  writer.endNest(mark);
}

/**
 * Writes one attribute: its key half or its mask half. Leaves out what the kernel has no attribute
 * for: keys that only OVS's userspace datapath knows and, in the key half, the type of an 802.2
 * frame and the absence of a port.
 */
export function writeAttribute(
  record: KeyRecord,
  level: number,
  slot: number,
  isMask: boolean,
  writer: AttributeWriter,
): void {
  const from = isMask ? maskOffset(level, slot) : keyOffset(level, slot);
  let size = SIZE_OF_SLOT[slot]!;
  switch (slot) {
    case SLOT_TUNNEL:
      writeTunnel(record, isMask, writer);
      return;
    case SLOT_NSH:
      writeNsh(record, level, isMask, writer);
      return;
    case SLOT_MPLS:
      size = record.mplsEntries[level]! * 4;
      break;
    case SLOT_ETHERTYPE:
      if (!isMask && isZero(record.bytes, from, 2)) return;
      break;
    case SLOT_IN_PORT:
      if (!isMask && record.words[from >> 2] === NO_PORT) return;
  }
  if (KEY_BY_SLOT[slot]?.where === "userspace") return;
  const at = copyHalf(record, slot, from, size, writer);
  // OVS writes all bits that a packet can have for an exact match.
  if (isMask && at >= 0 && slot === SLOT_TCP_FLAGS) {
    if (be16At(writer.memory.u8, at) === TCP_FLAGS_ALL) writer.memory.u8[at] = 0xff;
  }
}

/**
 * Writes `size` bytes of a record as an attribute.
 * @returns the offset of its payload; -1 if there is no room
 */
function copyHalf(
  record: KeyRecord,
  slot: number,
  from: number,
  size: number,
  writer: AttributeWriter,
): number {
  const at = writer.reserve(TYPE_OF_SLOT[slot]!, size);
  if (at < 0) return at;
  const words = writer.memory.i32;
  const source = record.ints;
  let to = at >> 2;
  for (let i = from >> 2; i < (from + size + 3) >> 2; i++) words[to++] = source[i]!;
  return at;
}

/** Writes a nest of the base header and, for metadata of type 1, the context. */
function writeNsh(
  record: KeyRecord,
  level: number,
  isMask: boolean,
  writer: AttributeWriter,
): void {
  const key = keyOffset(level, SLOT_NSH);
  const from = isMask ? maskOffset(level, SLOT_NSH) : key;
  const mark = writer.nest(TYPE_OF_SLOT[SLOT_NSH]!);
  writer.bytes(OVS_NSH_KEY_ATTR_BASE, record.bytes, from, from + NSH_BASE_SIZE);
  const context = from + NSH_BASE_SIZE;
  if (record.bytes[key + 2] === NSH_M_TYPE1 || !isZero(record.bytes, context, NSH_MD1_SIZE)) {
    writer.bytes(OVS_NSH_KEY_ATTR_MD1, record.bytes, context, context + NSH_MD1_SIZE);
  }
  writer.endNest(mark);
}

function writeUnknown(
  record: KeyRecord,
  level: number,
  isMask: boolean,
  writer: AttributeWriter,
): void {
  for (const unknown of record.unknown) {
    if (unknown.level !== level) continue;
    if (!isMask) writer.bytes(unknown.type, unknown.key);
    else if (unknown.mask.some((byte) => byte !== 0)) writer.bytes(unknown.type, unknown.mask);
  }
}
