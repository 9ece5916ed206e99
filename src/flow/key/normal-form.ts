import { isZero } from "../bytes.ts";
import { readContainer, writeContainer } from "../text/field.ts";
import { putSettled, settleDecisive } from "./decisive.ts";
import { LEVELS, lowestSlot, SLOT_UNKNOWN, SLOT_WORDS } from "./levels.ts";
import { keyOffset, type KeyRecord, maskOffset, WORDS_OF_SLOT } from "./record.ts";
import { removeRedundantHeaders } from "./redundant-headers.ts";
import { isVlan } from "./required-headers.ts";
import {
  SLOT_ARP,
  SLOT_ENCAP,
  SLOT_ETHERNET,
  SLOT_ETHERTYPE,
  SLOT_IN_PORT,
  SLOT_IPV6,
  SLOT_MPLS,
  SLOT_PACKET_TYPE,
  SLOT_TCP_FLAGS,
  SLOT_TUNNEL,
  SLOT_VLAN,
} from "./slots.ts";
import { KEY_BY_SLOT } from "./table.ts";
import { normalizeTunnel } from "./tunnel-normal-form.ts";

/**
 * The mask of in_port in the dump of a flow that does not match a port (`__ovs_nla_put_key` sets
 * the upper half of every mask).
 */
export const IN_PORT_WILD = 0xffff_0000;
const VLAN_TCI_BYTES = 2;

/** An Ethernet type that requires no further header, for an L3 packet of any type. */
const ETHERTYPE_ANY_L3 = 0xffff;

/**
 * Turns a key as parsed into the key as the kernel keeps it (`ovs_nla_get_match` and
 * `ovs_flow_mask_key`), so that a flow and its dump are the same bytes:
 * - the key is key & mask, except for values settled by {@link settleDecisive};
 * - a nonzero mask of in_port or eth_type is exact;
 * - attributes that are fully wildcarded and not required are absent (see
 *   {@link removeRedundantHeaders});
 * - the mask lacks the bits that the kernel does not keep.
 *
 * Idempotent.
 */
export function normalize(record: KeyRecord): void {
  for (let level = 0; level < LEVELS; level++) {
    if (record.has(level, SLOT_PACKET_TYPE)) normalizePacketType(record, level);
    // Must come before the test for wildcards: these bits may be the whole mask.
    dropBits(record, level);
  }
  settleDecisive(record);
  removeRedundantHeaders(record);
  // Innermost level first: what surrounds a tag depends on whether anything is left inside it.
  for (let level = LEVELS - 1; level >= 0; level--) {
    if (record.count[level] === 0) continue;
    if (record.has(level, SLOT_VLAN)) normalizeVlan(record, level);
    for (let at = level * SLOT_WORDS; at < (level + 1) * SLOT_WORDS; at++) {
      for (let left = record.present[at]!; left !== 0; left &= left - 1) {
        normalizeAttribute(record, level, lowestSlot(at, left));
      }
    }
  }
  putSettled(record);
}

function normalizeAttribute(record: KeyRecord, level: number, slot: number): void {
  const mask = maskOffset(level, slot);
  switch (slot) {
    case SLOT_TUNNEL:
      normalizeTunnel(record);
      return;
    case SLOT_UNKNOWN:
      normalizeUnknown(record, level);
      return;
    case SLOT_ENCAP:
      return;
    case SLOT_IN_PORT: {
      const bits = record.words[mask >> 2]!;
      const key = record.words[keyOffset(level, slot) >> 2];
      if (bits === 0 || (bits === IN_PORT_WILD && key === 0)) record.remove(level, slot);
      else record.words[mask >> 2] = 0xffff_ffff;
      break;
    }
    case SLOT_ETHERTYPE:
      normalizeEtherType(record, level);
      return;
    case SLOT_MPLS:
      if (record.isWild(level, slot)) record.mplsEntries[level] = 1;
      break;
    default:
      if (ABSENT_AS_WILD[slot] === 1 && record.isWild(level, slot)) {
        record.remove(level, slot);
        return;
      }
  }
  maskKey(record, level, slot);
}

/**
 * 1 for keys that can be dropped if none of their bits is matched: their presence is neither
 * matched nor required.
 */
const ABSENT_AS_WILD: Uint8Array = Uint8Array.from(KEY_BY_SLOT, (key) => {
  if (key === undefined || key.presence || key.required) return 0;
  return key.layer === "metadata" || key.asksFor !== undefined ? 1 : 0;
});

/** Clears the bits of a mask that the kernel does not keep. */
function dropBits(record: KeyRecord, level: number): void {
  const { bytes } = record;
  const flags = maskOffset(level, SLOT_TCP_FLAGS);
  bytes[flags] = bytes[flags]! & 0x0f;
  // The label has 20 bits.
  const label = maskOffset(level, SLOT_IPV6) + 32;
  bytes[label] = 0;
  bytes[label + 1] = bytes[label + 1]! & 0x0f;
  // The kernel keeps only the low byte of the opcode.
  bytes[maskOffset(level, SLOT_ARP) + 8] = 0;
}

function maskKey(record: KeyRecord, level: number, slot: number): void {
  const words = WORDS_OF_SLOT[slot]!;
  const from = keyOffset(level, slot) >> 2;
  const values = record.ints;
  for (let i = from; i < from + words; i++) values[i] = values[i]! & values[i + words]!;
}

function normalizeEtherType(record: KeyRecord, level: number): void {
  const mask = maskOffset(level, SLOT_ETHERTYPE);
  const bytes = record.bytes;
  const bits = readContainer(bytes, mask, 2, true);
  if (bits !== 0) {
    writeContainer(bytes, mask, 2, true, 0xffff);
  } else if (!isZero(bytes, keyOffset(level, SLOT_ETHERTYPE), 2)) {
    // The headers that it requires are missing: the kernel will report that.
  } else if (level > 0 || record.has(level, SLOT_ETHERNET)) {
    record.remove(level, SLOT_ETHERTYPE);
  } else {
    writeContainer(bytes, keyOffset(level, SLOT_ETHERTYPE), 2, true, ETHERTYPE_ANY_L3);
  }
}

/**
 * After the type of a tag, a zero tag with nothing inside means a truncated tag: the kernel keeps
 * no tag, and the type of an 802.2 frame. After another type it is not a tag, and is refused.
 */
function normalizeVlan(record: KeyRecord, level: number): void {
  if (!isVlan(readContainer(record.bytes, keyOffset(level, SLOT_ETHERTYPE), 2, true))) return;
  if (
    !isZero(record.bytes, keyOffset(level, SLOT_VLAN), VLAN_TCI_BYTES) ||
    !record.isWild(level, SLOT_VLAN)
  )
    return;
  const inside = level + 1 < LEVELS ? record.count[level + 1] : 0;
  if (inside !== 0 || !record.has(level, SLOT_ENCAP)) return;
  record.remove(level, SLOT_VLAN);
  record.remove(level, SLOT_ENCAP);
  writeContainer(record.bytes, keyOffset(level, SLOT_ETHERTYPE), 2, true, 0);
}

/**
 * The kernel has no packet type: Ethernet is the default, and an L3 packet is described by its
 * Ethernet type.
 */
function normalizePacketType(record: KeyRecord, level: number): void {
  const key = keyOffset(level, SLOT_PACKET_TYPE);
  const space = readContainer(record.bytes, key, 2, true);
  const id = readContainer(record.bytes, key + 2, 2, true);
  if (space === 0 && id === 0) {
    const isEthernet = !record.isWild(level, SLOT_PACKET_TYPE);
    record.remove(level, SLOT_PACKET_TYPE);
    // OVS's userspace datapath writes it this way, and leaves out a wildcarded eth().
    if (isEthernet && level === 0) record.add(0, SLOT_ETHERNET);
  } else if (space === 1 && !record.has(level, SLOT_ETHERNET)) {
    record.remove(level, SLOT_PACKET_TYPE);
    if (!record.add(level, SLOT_ETHERTYPE)) return;
    writeContainer(record.bytes, keyOffset(level, SLOT_ETHERTYPE), 2, true, id);
    writeContainer(record.bytes, maskOffset(level, SLOT_ETHERTYPE), 2, true, 0xffff);
  }
}

/** Masks the attributes without a name, and sorts them by type. */
function normalizeUnknown(record: KeyRecord, level: number): void {
  for (const unknown of record.unknown) {
    if (unknown.level !== level) continue;
    for (let i = 0; i < unknown.key.length; i++) unknown.key[i]! &= unknown.mask[i]!;
  }
  record.unknown.sort((a, b) => a.level - b.level || a.type - b.type);
}
