import { ETH_P_IPV6, OVS_FRAG_TYPE_LATER } from "../../uapi/packet.ts";
import { be16At } from "../bytes.ts";
import { isNdType, networkSlots, transportSlots } from "./called-for.ts";
import { innermostType, levelOf, protoAt } from "./decisive.ts";
import type { KeyRecord } from "./record.ts";
import { keyOffset, maskOffset } from "./record.ts";
import {
  LEVELS,
  SLOT_ARP,
  SLOT_ETHERTYPE,
  SLOT_ICMP,
  SLOT_ICMPV6,
  SLOT_IPV4,
  SLOT_IPV6,
  SLOT_IPV6_EXTHDRS,
  SLOT_MPLS,
  SLOT_ND,
  SLOT_NSH,
  SLOT_SCTP,
  SLOT_TCP,
  SLOT_TCP_FLAGS,
  SLOT_UDP,
} from "./slots.ts";

// Headers that a key need not name, because others decide them.

const NETWORK =
  (1 << SLOT_IPV4) |
  (1 << SLOT_IPV6) |
  (1 << SLOT_IPV6_EXTHDRS) |
  (1 << SLOT_ARP) |
  (1 << SLOT_MPLS) |
  (1 << SLOT_NSH);
const TRANSPORT =
  (1 << SLOT_TCP) |
  (1 << SLOT_TCP_FLAGS) |
  (1 << SLOT_UDP) |
  (1 << SLOT_SCTP) |
  (1 << SLOT_ICMP) |
  (1 << SLOT_ICMPV6) |
  (1 << SLOT_ND);

/**
 * Removes the wildcarded headers that a key does not call for, as `ipv6()` beside `eth_type(0x0800)`.
 * They match nothing, a kernel never dumps them, and they do harm: `ovs_key_from_nlattrs` keeps
 * headers of one layer in one place, so that the zeros of the one overwrite the values of the other.
 */
export function removeNeedless(record: KeyRecord): void {
  let needed = -1;
  for (let level = 0; level < LEVELS; level++) {
    for (let left = record.present[level]! & (NETWORK | TRANSPORT); left !== 0; left &= left - 1) {
      const slot = 31 - Math.clz32(left & -left);
      if (!matchesNothing(record, level, slot)) continue;
      record.headersByType = true;
      if (needed < 0) needed = neededHeaders(record);
      if (((needed >>> slot) & 1) === 0) record.remove(level, slot);
    }
  }
}

/**
 * Every packet has what the header asks for. A packet that is not IPv6 has zero for extension headers
 * (`struct sw_flow_key`).
 */
function matchesNothing(record: KeyRecord, level: number, slot: number): boolean {
  if (slot !== SLOT_IPV6_EXTHDRS) return record.isWild(level, slot);
  return masked(record, level, slot, 0) === 0 && masked(record, level, slot, 1) === 0;
}

/** The headers that the kernel asks for, and those that it keeps beside them. */
function neededHeaders(record: KeyRecord): number {
  const called = networkSlots(etherTypeOf(record));
  const slot = 31 - Math.clz32(called);
  const network = slot === SLOT_IPV6 ? called | (1 << SLOT_IPV6_EXTHDRS) : called;
  const at = protoAt(slot);
  const level = at < 0 ? -1 : levelOf(record, slot);
  if (level < 0) return network;
  // These are settled: what they call for is what a kernel sees in them, whatever their masks are.
  const { bytes } = record;
  const proto = keyOffset(level, slot) + at;
  if (bytes[proto + 3] === OVS_FRAG_TYPE_LATER) return network;
  const transport = transportSlots(slot, bytes[proto]!);
  const nd = transport === 1 << SLOT_ICMPV6 && isNd(record);
  return network | transport | (nd ? 1 << SLOT_ND : 0);
}

function isNd(record: KeyRecord): boolean {
  const level = levelOf(record, SLOT_ICMPV6);
  if (level < 0) return false;
  return isNdType(record.bytes[keyOffset(level, SLOT_ICMPV6)]!);
}

/** The key asks for IPv6. */
export function matchesIpv6(record: KeyRecord): boolean {
  return etherTypeOf(record) === ETH_P_IPV6;
}

/** The innermost type; 0 where any will do. */
function etherTypeOf(record: KeyRecord): number {
  const level = innermostType(record);
  if (level < 0 || record.isWild(level, SLOT_ETHERTYPE)) return 0;
  return be16At(record.bytes, keyOffset(level, SLOT_ETHERTYPE));
}

/** A byte of an attribute, as far as it is matched. */
function masked(record: KeyRecord, level: number, slot: number, offset: number): number {
  const { bytes } = record;
  return bytes[keyOffset(level, slot) + offset]! & bytes[maskOffset(level, slot) + offset]!;
}
