import { OVS_FRAG_TYPE_LATER } from "../../uapi/packet.ts";
import { be16At } from "../bytes.ts";
import { icmpv6Slots, networkSlots, transportSlots } from "../key/required-headers.ts";
import { innermostType, levelOf, protoAt } from "../key/decisive.ts";
import { slotBit } from "../key/levels.ts";
import { type KeyRecord, keyOffset, maskOffset } from "../key/record.ts";
import {
  SLOT_CT_TUPLE4,
  SLOT_CT_TUPLE6,
  SLOT_ENCAP,
  SLOT_ETHERNET,
  SLOT_ETHERTYPE,
  SLOT_ICMPV6,
  SLOT_IPV4,
  SLOT_IPV6,
  SLOT_IPV6_EXTHDRS,
  SLOT_ND,
  SLOT_VLAN,
} from "../key/slots.ts";

/** Whether packets of a flow may have something. */
type MayHave = (record: KeyRecord) => boolean;

/** Where frag is in a network header, from proto. */
const FRAG_AFTER_PROTO = 3;

const BYTES: readonly number[] = Array.from({ length: 256 }, (_, byte) => byte);

/**
 * Makes the question whether packets of a flow may have what a key matches, where the flow does not have that key.
 * A flow that does not match a type, or a protocol, takes packets of every one.
 */
export function mayHave(slot: number): MayHave {
  switch (slot) {
    // A key without these is one of packets without them (`ovs_nla_get_match`: "Always match on tci").
    case SLOT_ETHERNET:
    case SLOT_VLAN:
    case SLOT_ENCAP:
      return () => false;
    case SLOT_ETHERTYPE:
      return () => true;
    case SLOT_CT_TUPLE4:
      return ofNetwork(slotBit(SLOT_IPV4));
    case SLOT_CT_TUPLE6:
    case SLOT_IPV6_EXTHDRS:
      return ofNetwork(slotBit(SLOT_IPV6));
    case SLOT_ND:
      return ofNd();
    default:
      // Slots of metadata come first: every packet has them.
      return slot < SLOT_ETHERNET ? () => true : ofHeader(slot);
  }
}

function ofHeader(slot: number): MayHave {
  const over4 = ofTransport(slot, SLOT_IPV4);
  const over6 = ofTransport(slot, SLOT_IPV6);
  if (over4 === undefined && over6 === undefined) return ofNetwork(slotBit(slot));
  return (record) => over4?.(record) === true || over6?.(record) === true;
}

/** The packets may be of a type that calls for one of the headers. */
function ofNetwork(slots: number): MayHave {
  return (record) => {
    const level = innermostType(record);
    if (level < 0 || record.isWild(level, SLOT_ETHERTYPE)) return true;
    return (networkSlots(be16At(record.bytes, keyOffset(level, SLOT_ETHERTYPE))) & slots) !== 0;
  };
}

/** The packets may be of a protocol that calls for the header; undefined where none does over that network header. */
function ofTransport(slot: number, network: number): MayHave | undefined {
  const protocols = BYTES.filter((proto) => (transportSlots(network, proto) & slotBit(slot)) !== 0);
  if (protocols.length === 0) return undefined;
  const isNetwork = ofNetwork(slotBit(network));
  const at = protoAt(network);
  return (record) => {
    if (!isNetwork(record)) return false;
    const level = levelOf(record, network);
    if (level < 0) return true;
    const isFirst = mayBe(record, level, network, at + FRAG_AFTER_PROTO, NOT_LATER);
    return isFirst && mayBe(record, level, network, at, protocols);
  };
}

/** Fragments that have a transport header. */
const NOT_LATER: readonly number[] = BYTES.filter((frag) => frag < OVS_FRAG_TYPE_LATER);

/** The packets may be ICMPv6 of neighbour discovery. */
function ofNd(): MayHave {
  const isIcmpv6 = ofHeader(SLOT_ICMPV6);
  const types = BYTES.filter((type) => (icmpv6Slots(type) & slotBit(SLOT_ND)) !== 0);
  return (record) => {
    const level = levelOf(record, SLOT_ICMPV6);
    return level < 0 ? isIcmpv6(record) : mayBe(record, level, SLOT_ICMPV6, 0, types);
  };
}

/** Whether a byte of a header may be one of some values. */
function mayBe(
  { bytes }: KeyRecord,
  level: number,
  slot: number,
  offset: number,
  values: readonly number[],
): boolean {
  const key = bytes[keyOffset(level, slot) + offset]!; // a byte of the slot's payload
  const mask = bytes[maskOffset(level, slot) + offset]!; // and of its mask
  for (let i = 0; i < values.length; i++) if (((values[i]! ^ key) & mask) === 0) return true;
  return false;
}
