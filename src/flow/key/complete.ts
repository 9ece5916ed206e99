import { OVS_FRAG_TYPE_LATER } from "../../uapi/packet.ts";
import { be16At } from "../bytes.ts";
import { readContainer, writeContainer } from "../text/field.ts";
import { innermostType, levelOf, protoAt } from "./decisive.ts";
import { HEADER_WORD, lowestSlot, slotBit } from "./levels.ts";
import { type KeyRecord, keyOffset } from "./record.ts";
import { icmpv6Slots, networkSlots, transportSlots } from "./required-headers.ts";
import { SLOT_ETHERNET, SLOT_ETHERTYPE, SLOT_ICMPV6, SLOT_MPLS, SLOT_TUNNEL } from "./slots.ts";
import * as T from "./tunnel-fields.ts";

/**
 * Adds to the key of a dump what the dump leaves out but a kernel requires. `ovs-dpctl dump-flows`
 * does not print what is fully wildcarded, neither headers nor the `ttl` and `dst` of a tunnel, and
 * never prints `tcp_flags()` for flows held by an offloading device. So in a line of a dump, a
 * missing part is a wildcarded one.
 * @param record as parsed, not in normal form
 * @returns whether anything was missing
 */
export function completeKey(record: KeyRecord): boolean {
  let added = record.has(0, SLOT_TUNNEL) && completeTunnel(record);
  // A packet without an Ethernet header, of any type.
  if (!record.has(0, SLOT_ETHERNET))
    added = addMissing(record, 0, slotBit(SLOT_ETHERTYPE)) || added;
  const level = innermostType(record);
  if (level < 0) return added;
  const { bytes } = record;
  const required = networkSlots(be16At(bytes, keyOffset(level, SLOT_ETHERTYPE)));
  added = addMissing(record, level, required) || added;
  const network = lowestSlot(HEADER_WORD, required);
  const proto = protoAt(network);
  if (proto < 0) return added;
  const inside = levelOf(record, network);
  const at = keyOffset(inside, network) + proto;
  if (bytes[at + 3] === OVS_FRAG_TYPE_LATER) return added;
  const transport = transportSlots(network, bytes[at]!);
  added = addMissing(record, inside, transport) || added;
  if (transport !== slotBit(SLOT_ICMPV6)) return added;
  const icmpv6 = levelOf(record, SLOT_ICMPV6);
  const type = bytes[keyOffset(icmpv6, SLOT_ICMPV6)]!;
  return addMissing(record, icmpv6, icmpv6Slots(type)) || added;
}

/** Adds, wildcarded, those of the slots that are present at no level. */
function addMissing(record: KeyRecord, level: number, slots: number): boolean {
  let added = false;
  for (let left = slots; left !== 0; left &= left - 1) {
    const slot = lowestSlot(HEADER_WORD, left);
    if (levelOf(record, slot) >= 0) continue;
    record.add(level, slot);
    if (slot === SLOT_MPLS) record.mplsEntries[level] = 1;
    added = true;
  }
  return added;
}

function completeTunnel({ bytes }: KeyRecord): boolean {
  const at = keyOffset(0, SLOT_TUNNEL) + T.TUNNEL_PRESENT;
  const present = readContainer(bytes, at, 4, false);
  let complete = present | T.TUNNEL_HAS_TTL;
  if ((present & (T.TUNNEL_HAS_DST | T.TUNNEL_HAS_DST6)) === 0) {
    complete |= (present & T.TUNNEL_HAS_SRC6) === 0 ? T.TUNNEL_HAS_DST : T.TUNNEL_HAS_DST6;
  }
  writeContainer(bytes, at, 4, false, complete);
  return complete !== present;
}
