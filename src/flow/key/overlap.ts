import { levelOfWord, lowestSlot, SLOT_UNKNOWN } from "./levels.ts";
import { type KeyRecord, keyOffset, maskOffset, WORDS_OF_SLOT } from "./record.ts";
import { SLOT_ETHERNET, SLOT_ETHERTYPE } from "./slots.ts";

/**
 * Whether `held` matches a packet with the masked key of `flow`, zero in all unmatched bits. If so,
 * the kernel does not take `flow` while `held` is there (`ovs_flow_tbl_lookup` in
 * `ovs_flow_cmd_new`).
 */
export function overlaps(flow: KeyRecord, held: KeyRecord): boolean {
  if (flow.has(0, SLOT_ETHERNET) !== held.has(0, SLOT_ETHERNET)) return false;
  for (let at = 0; at < held.present.length; at++) {
    const level = levelOfWord(at);
    for (let left = held.present[at]!; left !== 0; left &= left - 1) {
      const slot = lowestSlot(at, left);
      if (slot === SLOT_UNKNOWN) continue;
      const key = keyOffset(level, slot) >> 2;
      const mask = maskOffset(level, slot) >> 2;
      for (let i = 0; i < WORDS_OF_SLOT[slot]!; i++) {
        // For a flow without a UFID, a kernel dumps the key as sent, including unmatched bits.
        const differ = (flow.ints[key + i]! & flow.ints[mask + i]!) ^ held.ints[key + i]!;
        if ((differ & held.ints[mask + i]!) !== 0) return false;
      }
    }
  }
  return true;
}

/** Whether two flows match the same bits, and require the same for their Ethernet types. */
export function haveSameMask(a: KeyRecord, b: KeyRecord): boolean {
  for (let at = 0; at < a.present.length; at++) {
    if (a.present[at] !== b.present[at]) return false;
    const level = levelOfWord(at);
    for (let left = a.present[at]!; left !== 0; left &= left - 1) {
      const slot = lowestSlot(at, left);
      const end = endWord(level, slot);
      for (let i = firstWord(level, slot); i < end; i++) if (a.ints[i] !== b.ints[i]) return false;
    }
  }
  return true;
}

/** A 32-bit hash, equal for flows that {@link haveSameMask}. */
export function maskHash(record: KeyRecord): number {
  let hash = 0;
  for (let at = 0; at < record.present.length; at++) {
    const level = levelOfWord(at);
    for (let left = record.present[at]!; left !== 0; left &= left - 1) {
      const slot = lowestSlot(at, left);
      const end = endWord(level, slot);
      hash = Math.imul(hash ^ slot, 0x9e3779b1);
      for (let i = firstWord(level, slot); i < end; i++) {
        hash = Math.imul(hash ^ record.ints[i]!, 0x85ebca6b);
        hash ^= hash >>> 15;
      }
    }
  }
  return hash;
}

// The first word that flows of one mask have in common: the mask's first word; for an Ethernet
// type, the key's, which precedes it.
function firstWord(level: number, slot: number): number {
  return (slot === SLOT_ETHERTYPE ? keyOffset(level, slot) : maskOffset(level, slot)) >> 2;
}

function endWord(level: number, slot: number): number {
  return (maskOffset(level, slot) >> 2) + WORDS_OF_SLOT[slot]!;
}
