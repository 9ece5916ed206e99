import { levelOfWord, lowestSlot, SLOT_UNKNOWN } from "./levels.ts";
import { type KeyRecord, keyOffset, maskOffset, WORDS_OF_SLOT } from "./record.ts";
import { SLOT_ETHERNET } from "./slots.ts";

/**
 * Whether a packet with the masked key of `flow`, zero in all that it does not match, is one of `held`:
 * where it is, the kernel takes no `flow` while `held` is there (`ovs_flow_tbl_lookup` in
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
        // Of a flow without a UFID a kernel dumps the key as it was sent, with what is not matched.
        const differ = (flow.ints[key + i]! & flow.ints[mask + i]!) ^ held.ints[key + i]!;
        if ((differ & held.ints[mask + i]!) !== 0) return false;
      }
    }
  }
  return true;
}
