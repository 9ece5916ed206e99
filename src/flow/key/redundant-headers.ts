import { ETH_P_IPV6, OVS_FRAG_TYPE_LATER } from "../../uapi/packet.ts";
import { be16At } from "../bytes.ts";
import { innermostType, levelOf, protoAt } from "./decisive.ts";
import { HEADER_WORD, LEVELS, lowestSlot, slotBit } from "./levels.ts";
import { keyOffset, type KeyRecord, maskOffset } from "./record.ts";
import {
  icmpv6Slots,
  NETWORK_SLOTS,
  networkSlots,
  possibleNetworkSlots,
  TRANSPORT_SLOTS,
  transportSlots,
} from "./required-headers.ts";
import { SLOT_ETHERTYPE, SLOT_ICMPV6, SLOT_IPV6_EXTHDRS } from "./slots.ts";

/**
 * Removes wildcarded headers that the key does not require, such as `ipv6()` beside
 * `eth_type(0x0800)`. They match nothing, a kernel never dumps them, and they do harm:
 * `ovs_key_from_nlattrs` stores all headers of a layer in the same place, so the zeros of one
 * overwrite the values of another.
 */
export function removeRedundantHeaders(record: KeyRecord): void {
  let needed = -1;
  for (let level = 0; level < LEVELS; level++) {
    let left = record.headers(level) & (NETWORK_SLOTS | TRANSPORT_SLOTS);
    for (; left !== 0; left &= left - 1) {
      const slot = lowestSlot(HEADER_WORD, left);
      if (!matchesNothing(record, level, slot)) continue;
      record.headersByType = true;
      if (needed < 0) needed = neededHeaders(record);
      if ((needed & slotBit(slot)) === 0) record.remove(level, slot);
    }
  }
}

/**
 * Whether every packet matches the header. A packet that is not IPv6 has zero extension headers
 * (`struct sw_flow_key`).
 */
function matchesNothing(record: KeyRecord, level: number, slot: number): boolean {
  if (slot !== SLOT_IPV6_EXTHDRS) return record.isWild(level, slot);
  return masked(record, level, slot, 0) === 0 && masked(record, level, slot, 1) === 0;
}

/** The headers that the kernel requires, and those that it keeps besides. */
function neededHeaders(record: KeyRecord): number {
  const type = etherTypeOf(record);
  const network = possibleNetworkSlots(type);
  const slot = lowestSlot(HEADER_WORD, networkSlots(type));
  const at = protoAt(slot);
  const level = at < 0 ? -1 : levelOf(record, slot);
  if (level < 0) return network;
  // These values are settled: the kernel sees them as they are, regardless of their masks.
  const { bytes } = record;
  const proto = keyOffset(level, slot) + at;
  if (bytes[proto + 3] === OVS_FRAG_TYPE_LATER) return network;
  const transport = transportSlots(slot, bytes[proto]!);
  const inside = (transport & slotBit(SLOT_ICMPV6)) === 0 ? 0 : slotsInIcmpv6(record);
  return network | transport | inside;
}

function slotsInIcmpv6(record: KeyRecord): number {
  const level = levelOf(record, SLOT_ICMPV6);
  return level < 0 ? 0 : icmpv6Slots(record.bytes[keyOffset(level, SLOT_ICMPV6)]!);
}

/** Whether the key matches IPv6. */
export function matchesIpv6(record: KeyRecord): boolean {
  return etherTypeOf(record) === ETH_P_IPV6;
}

/** The innermost type; 0 if any will do. */
function etherTypeOf(record: KeyRecord): number {
  const level = innermostType(record);
  if (level < 0 || record.isWild(level, SLOT_ETHERTYPE)) return 0;
  return be16At(record.bytes, keyOffset(level, SLOT_ETHERTYPE));
}

/** A byte of an attribute, masked. */
function masked(record: KeyRecord, level: number, slot: number, offset: number): number {
  const { bytes } = record;
  return bytes[keyOffset(level, slot) + offset]! & bytes[maskOffset(level, slot) + offset]!;
}
