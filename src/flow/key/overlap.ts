import { type KeyRecord, keyOffset, maskOffset, WORDS_OF_SLOT } from "./record.ts";
import { LEVELS, SLOT_ETHERNET, SLOT_ETHERTYPE, SLOT_UNKNOWN } from "./slots.ts";

/**
 * Whether a packet with the masked key of `flow`, zero in all that it does not match, is one of `held`:
 * where it is, the kernel takes no `flow` while `held` is there (`ovs_flow_tbl_lookup` in
 * `ovs_flow_cmd_new`).
 */
export function overlaps(flow: KeyRecord, held: KeyRecord): boolean {
  if (flow.has(0, SLOT_ETHERNET) !== held.has(0, SLOT_ETHERNET)) return false;
  for (let level = 0; level < LEVELS; level++) {
    for (let left = held.present[level]!; left !== 0; left &= left - 1) {
      const slot = lowestSlot(left);
      if (slot === SLOT_UNKNOWN) continue;
      const key = keyOffset(level, slot) >> 2;
      const mask = maskOffset(level, slot) >> 2;
      for (let i = 0; i < WORDS_OF_SLOT[slot]!; i++) {
        const differ = flow.ints[key + i]! ^ held.ints[key + i]!;
        if ((differ & held.ints[mask + i]!) !== 0) return false;
      }
    }
  }
  return true;
}

/**
 * Whether a flow with the mask of `like`, and any key but another EtherType, might overlap `held`: not so
 * where `held` wants something else than zero of what that mask leaves out.
 */
export function mayOverlapOne(like: KeyRecord, held: KeyRecord): boolean {
  if (like.has(0, SLOT_ETHERNET) !== held.has(0, SLOT_ETHERNET)) return false;
  for (let level = 0; level < LEVELS; level++) {
    if (haveOtherTypes(like, held, level)) return false;
    for (let left = held.present[level]!; left !== 0; left &= left - 1) {
      const slot = lowestSlot(left);
      if (slot === SLOT_UNKNOWN) continue;
      const key = keyOffset(level, slot) >> 2;
      const mask = maskOffset(level, slot) >> 2;
      for (let i = 0; i < WORDS_OF_SLOT[slot]!; i++) {
        const wanted = held.ints[key + i]! & held.ints[mask + i]!;
        if ((wanted & ~like.ints[mask + i]!) !== 0) return false;
      }
    }
  }
  return true;
}

/** Whether two flows match the same bits, and what they want for an EtherType is the same. */
export function haveSameMask(one: KeyRecord, other: KeyRecord): boolean {
  for (let level = 0; level < LEVELS; level++) {
    if (one.present[level] !== other.present[level]) return false;
    for (let left = one.present[level]!; left !== 0; left &= left - 1) {
      const slot = lowestSlot(left);
      const from = slot === SLOT_ETHERTYPE ? keyOffset(level, slot) : maskOffset(level, slot);
      const end = (maskOffset(level, slot) >> 2) + WORDS_OF_SLOT[slot]!;
      for (let i = from >> 2; i < end; i++) if (one.ints[i] !== other.ints[i]) return false;
    }
  }
  return true;
}

/** A number of 32 bits that is the same where {@link haveSameMask}. */
export function maskHash(record: KeyRecord): number {
  let hash = 0;
  for (let level = 0; level < LEVELS; level++) {
    for (let left = record.present[level]!; left !== 0; left &= left - 1) {
      const slot = lowestSlot(left);
      const from = slot === SLOT_ETHERTYPE ? keyOffset(level, slot) : maskOffset(level, slot);
      const end = (maskOffset(level, slot) >> 2) + WORDS_OF_SLOT[slot]!;
      hash = Math.imul(hash ^ slot, 0x9e3779b1);
      for (let i = from >> 2; i < end; i++) {
        hash = Math.imul(hash ^ record.ints[i]!, 0x85ebca6b);
        hash ^= hash >>> 15;
      }
    }
  }
  return hash;
}

// Different where both match it and want another one: then no packet is one of both.
function haveOtherTypes(one: KeyRecord, other: KeyRecord, level: number): boolean {
  const key = keyOffset(level, SLOT_ETHERTYPE) >> 2;
  const mask = maskOffset(level, SLOT_ETHERTYPE) >> 2;
  const both = one.ints[mask]! & other.ints[mask]!;
  return ((one.ints[key]! ^ other.ints[key]!) & both) !== 0;
}

function lowestSlot(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
