import { OVS_FRAG_TYPE_LATER } from "../../uapi/packet.ts";
import { be16At } from "../bytes.ts";
import { innermostType, levelOf, protoAt } from "../key/decisive.ts";
import { type KeyRecord, keyOffset, maskOffset } from "../key/record.ts";
import { SLOT_ETHERTYPE } from "../key/slots.ts";
import { keyNamed, type KeySpec } from "../key/table.ts";

/** Whether packets of a flow may have a given header. */
type MayHave = (record: KeyRecord) => boolean;

/** Offset of frag in a network header, relative to proto. */
const FRAG_AFTER_PROTO = 3;

/** Fragments that have a transport header. */
const NOT_LATER: readonly number[] = Array.from({ length: OVS_FRAG_TYPE_LATER }, (_, frag) => frag);

/**
 * Makes a function that tells whether packets of a flow without the key may have what the key
 * matches. A flow that does not match a type or protocol takes packets of all of them.
 */
export function mayHave(key: KeySpec): MayHave {
  const { asksFor } = key;
  // A flow without eth() or a tag matches only packets without it (`ovs_nla_get_match`: "Always
  // match on tci").
  if (key.layer === "link") return () => key.slot === SLOT_ETHERTYPE;
  if (asksFor === undefined) return () => true;
  if (asksFor.key === "eth_type") return (record) => isOfType(record, asksFor.values);
  if (asksFor.key === "proto") {
    const over = asksFor.over.map((name) => ofProtocol(keyNamed(name), asksFor.values));
    return (record) => isOneOf(over, record);
  }
  const icmpv6 = keyNamed("icmpv6");
  const mayBeIcmpv6 = mayHave(icmpv6);
  return (record) => {
    const level = levelOf(record, icmpv6.slot);
    if (level < 0) return mayBeIcmpv6(record);
    return mayBe(record, level, icmpv6.slot, 0, asksFor.values);
  };
}

function isOneOf(all: readonly MayHave[], record: KeyRecord): boolean {
  for (let i = 0; i < all.length; i++) if (all[i]?.(record) === true) return true;
  return false;
}

/** Whether the packets may be of one of the types. */
function isOfType(record: KeyRecord, types: readonly number[]): boolean {
  const level = innermostType(record);
  if (level < 0 || record.isWild(level, SLOT_ETHERTYPE)) return true;
  return types.includes(be16At(record.bytes, keyOffset(level, SLOT_ETHERTYPE)));
}

/**
 * Makes a function that tells whether the packets may have one of the protocols, over a network
 * header.
 */
function ofProtocol({ slot, asksFor }: KeySpec, protocols: readonly number[]): MayHave {
  const types = asksFor?.key === "eth_type" ? asksFor.values : [];
  const at = protoAt(slot);
  return (record) => {
    if (!isOfType(record, types)) return false;
    const level = levelOf(record, slot);
    if (level < 0) return true;
    const isFirst = mayBe(record, level, slot, at + FRAG_AFTER_PROTO, NOT_LATER);
    return isFirst && mayBe(record, level, slot, at, protocols);
  };
}

/** Whether a byte of a header may have one of some values. */
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
