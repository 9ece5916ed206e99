import { ETH_P_802_3_MIN, OVS_FRAG_TYPE_LATER } from "../../uapi/packet.ts";
import { be16At } from "../bytes.ts";
import { HEADER_WORD, LEVELS, lowestSlot, slotBit } from "./levels.ts";
import type { KeyRecord } from "./record.ts";
import { keyOffset, maskOffset } from "./record.ts";
import { icmpv6Slots, isVlan, networkSlots, transportSlots } from "./required-headers.ts";
import {
  SLOT_ENCAP,
  SLOT_ETHERNET,
  SLOT_ETHERTYPE,
  SLOT_ICMPV6,
  SLOT_IPV4,
  SLOT_IPV6,
  SLOT_VLAN,
} from "./slots.ts";
import { fieldNamed } from "./table.ts";

/*
 * Values that decide which attributes a kernel wants beside them: the Ethernet type, the protocol, which
 * fragment it is, the type of ICMPv6. `match_validate()` looks at them as they are sent, whatever their masks
 * are, so that a value under its mask could ask for other headers than the value that the text has. Such a
 * value is settled before a key is masked: its bits outside the mask are those of the masked value where the
 * key has all that both ask for, and else those by which it asks for what the text's own value does.
 */

/** Where proto is in the payload of each network header; frag is three bytes on. */
const IPV4_PROTO: number = fieldNamed("ipv4", "proto").offset;
const IPV6_PROTO: number = fieldNamed("ipv6", "proto").offset;
const FRAG_AFTER_PROTO = 3;

const TAG: number = slotBit(SLOT_VLAN) | slotBit(SLOT_ENCAP);

/** Settles the deciding values of a key that is not masked yet. */
export function settleDecisive(record: KeyRecord): void {
  settled = 0;
  record.headersByType = false;
  for (let level = 0; level < LEVELS; level++) {
    if (record.has(level, SLOT_VLAN)) settleTag(record, level);
    if (isUnsettled(record, level)) record.headersByType = true;
  }
  forgetTypes(record);
  const level = innermostType(record);
  if (level < 0) return;
  const at = keyOffset(level, SLOT_ETHERTYPE);
  // A mask that is not zero is made whole.
  if (record.isWild(level, SLOT_ETHERTYPE)) {
    settleType(record, level);
    return;
  }
  const network = lowestSlot(HEADER_WORD, networkSlots(be16At(record.bytes, at)));
  const proto = protoAt(network);
  if (proto >= 0) settleProto(record, network, proto);
}

/** Where proto is in the payload of a network header; -1 where it has none. */
export function protoAt(network: number): number {
  return network === SLOT_IPV4 ? IPV4_PROTO : network === SLOT_IPV6 ? IPV6_PROTO : -1;
}

/** A deciding value has bits outside its mask: what is sent of it hangs on other values. */
function isUnsettled(record: KeyRecord, level: number): boolean {
  return (
    isFree(record, level, SLOT_IPV4, IPV4_PROTO) ||
    isFree(record, level, SLOT_IPV4, IPV4_PROTO + FRAG_AFTER_PROTO) ||
    isFree(record, level, SLOT_IPV6, IPV6_PROTO) ||
    isFree(record, level, SLOT_IPV6, IPV6_PROTO + FRAG_AFTER_PROTO) ||
    isFree(record, level, SLOT_ICMPV6, 0)
  );
}

function isFree({ bytes }: KeyRecord, level: number, slot: number, offset: number): boolean {
  return (
    (bytes[keyOffset(level, slot) + offset]! & ~bytes[maskOffset(level, slot) + offset]!) !== 0
  );
}

/** Puts back what masking took from the values that {@link settleDecisive} settled. */
export function putSettled(record: KeyRecord): void {
  for (let i = 0; i < settled; i++) record.bytes[SETTLED_AT[i]!] = SETTLED[i]!;
}

/** A byte of a tag at each level, the protocol, the fragment and the type of ICMPv6. */
const SETTLED_MAX = LEVELS + 3;

/** Where the settled values are that have bits outside their masks, and what they are. */
const SETTLED_AT = new Int32Array(SETTLED_MAX);
const SETTLED = new Uint8Array(SETTLED_MAX);
let settled = 0;

function settle(record: KeyRecord, at: number, value: number, mask: number): void {
  record.bytes[at] = value;
  if ((value & ~mask) === 0) return;
  SETTLED_AT[settled] = at;
  SETTLED[settled++] = value;
}

/**
 * Of a tag that is there, and of which nothing is matched, a kernel matches all, or the bits of another tag:
 * `encode_vlan_from_nlattrs()` takes the key for a mask that is missing. That was not asked for: it is sent
 * without its cfi, and so refused.
 */
function settleTag(record: KeyRecord, level: number): void {
  const at = keyOffset(level, SLOT_VLAN);
  if (record.isWild(level, SLOT_VLAN) && be16At(record.bytes, at) !== 0)
    settle(record, at + 1, 1, 0);
}

/** A type that is not matched is none, unless the key lacks what is wanted for it: then it is sent. */
function settleType(record: KeyRecord, level: number): void {
  const { bytes } = record;
  const at = keyOffset(level, SLOT_ETHERTYPE);
  const type = be16At(bytes, at);
  const tag = isVlan(type) && record.has(0, SLOT_ETHERNET) ? TAG : 0;
  if (type < ETH_P_802_3_MIN || !hasAll(record, networkSlots(type) | tag)) return;
  bytes[at] = 0;
  bytes[at + 1] = 0;
}

function settleProto(record: KeyRecord, network: number, offset: number): void {
  const level = levelOf(record, network);
  if (level < 0) return;
  const { bytes } = record;
  const at = keyOffset(level, network) + offset;
  const maskAt = maskOffset(level, network) + offset;
  const proto = bytes[at]!;
  const mask = bytes[maskAt]!;
  const frag = bytes[at + FRAG_AFTER_PROTO]!;
  const fragMask = bytes[maskAt + FRAG_AFTER_PROTO]!;
  if ((proto & ~mask) !== 0 || (frag & ~fragMask) !== 0) {
    const required = requiredHeaders(network, proto, frag);
    const masked = requiredHeaders(network, proto & mask, frag & fragMask);
    const isWhole = frag <= OVS_FRAG_TYPE_LATER && hasAll(record, required | masked);
    let least = proto & mask;
    if (!isWhole) {
      // Of all that ask for the same the first, whichever of them the text has.
      const isLike = (value: number): boolean =>
        (value & mask) === (proto & mask) && requiredHeaders(network, value, frag) === required;
      while (!isLike(least)) least++;
    }
    settle(record, at, least, mask);
    settle(record, at + FRAG_AFTER_PROTO, isWhole ? frag & fragMask : frag, fragMask);
  }
  const transport = requiredHeaders(network, bytes[at]!, bytes[at + FRAG_AFTER_PROTO]!);
  if (transport === slotBit(SLOT_ICMPV6)) settleIcmpv6(record);
}

function settleIcmpv6(record: KeyRecord): void {
  const level = levelOf(record, SLOT_ICMPV6);
  if (level < 0) return;
  const at = keyOffset(level, SLOT_ICMPV6);
  const mask = record.bytes[maskOffset(level, SLOT_ICMPV6)]!;
  const type = record.bytes[at]!;
  const required = icmpv6Slots(type);
  let least = type & mask;
  if (!hasAll(record, required | icmpv6Slots(least))) {
    while ((least & mask) !== (type & mask) || icmpv6Slots(least) !== required) least++;
  }
  settle(record, at, least, mask);
}

/** The headers that a protocol asks for in a fragment of a kind. */
function requiredHeaders(network: number, proto: number, frag: number): number {
  return frag === OVS_FRAG_TYPE_LATER ? 0 : transportSlots(network, proto);
}

/** Whether the key has all of the headers, at whatever level. */
function hasAll(record: KeyRecord, slots: number): boolean {
  let present = 0;
  for (let level = 0; level < LEVELS; level++) present |= record.headers(level);
  return (slots & ~present) === 0;
}

/** The level of the Ethernet type inside all tags; -1 where there is none. */
export function innermostType(record: KeyRecord): number {
  for (let level = LEVELS - 1; level >= 0; level--)
    if (record.has(level, SLOT_ETHERTYPE) && !isNoType(record, level)) return level;
  return -1;
}

/** `eth_type(0/0)` says nothing. */
function isNoType(record: KeyRecord, level: number): boolean {
  return (
    record.isWild(level, SLOT_ETHERTYPE) &&
    be16At(record.bytes, keyOffset(level, SLOT_ETHERTYPE)) === 0
  );
}

/** A type that is not matched says nothing where another one is inside. */
function forgetTypes(record: KeyRecord): void {
  for (let level = innermostType(record) - 1; level >= 0; level--) {
    if (record.isWild(level, SLOT_ETHERTYPE)) {
      const at = keyOffset(level, SLOT_ETHERTYPE);
      record.bytes.fill(0, at, at + 2);
    }
  }
}

/** The level of an attribute, which stands once in a key; -1 where it is absent. */
export function levelOf(record: KeyRecord, slot: number): number {
  for (let level = 0; level < LEVELS; level++) if (record.has(level, slot)) return level;
  return -1;
}
