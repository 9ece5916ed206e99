import { be16At } from "../bytes.ts";
import { type KeyRecord, keyOffset, maskOffset } from "./record.ts";
import { LEVELS, slotBit } from "./levels.ts";
import { SLOT_ENCAP, SLOT_ETHERTYPE, SLOT_IN_PORT, SLOT_VLAN } from "./slots.ts";

// VLAN tags that are matched regardless of their own type.

const TAG: number = slotBit(SLOT_ETHERTYPE) | slotBit(SLOT_VLAN) | slotBit(SLOT_ENCAP);
const CFI = 0x1000;

/**
 * Whether a level has a tag whose own type is not matched: `eth_type(0/0xffff),vlan(…),encap(…)`. A
 * kernel dumps a tag so if its mask came without ENCAP (`validate_vlan_mask_from_nlattrs`), as
 * ovs-vswitchd sends it for a tag that it does not look into. The kernel then matches the rest of
 * the tag exactly, and applies the mask to what follows the tag; a tag inside this one must be of
 * the same kind.
 */
export function isAnyTag(record: KeyRecord, level: number): boolean {
  if (level + 1 >= LEVELS || (record.headers(level) & TAG) !== TAG) return false;
  for (let inner = level + 1; inner < LEVELS; inner++) {
    // A mask has each attribute once, and a port in it would be the packet's port.
    if (record.has(inner, SLOT_IN_PORT)) return false;
    if ((record.headers(level) & record.headers(inner) & ~TAG) !== 0) return false;
    if ((record.metadata(level) & record.metadata(inner)) !== 0) return false;
  }
  const { bytes } = record;
  const isAny =
    be16At(bytes, keyOffset(level, SLOT_ETHERTYPE)) === 0 &&
    be16At(bytes, maskOffset(level, SLOT_ETHERTYPE)) === 0xffff &&
    be16At(bytes, maskOffset(level, SLOT_VLAN)) === 0xffff &&
    (be16At(bytes, keyOffset(level, SLOT_VLAN)) & CFI) !== 0;
  if (!isAny || isAnyTag(record, level + 1)) return isAny;
  return !record.has(level + 1, SLOT_VLAN) && !record.has(level + 1, SLOT_ENCAP);
}
