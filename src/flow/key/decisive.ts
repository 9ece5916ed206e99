import { ETH_P_802_3_MIN, OVS_FRAG_TYPE_LATER } from "../../uapi/packet.ts";
import { be16At } from "../bytes.ts";
import { HEADER_WORD, LEVELS, lowestSlot, slotBit } from "./levels.ts";
import { keyOffset, type KeyRecord, maskOffset } from "./record.ts";
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

/**
 * Deciding values determine which other attributes a kernel requires: the Ethernet type, the
 * protocol, the kind of fragment, the type of ICMPv6. `match_validate()` looks at these values as
 * sent, regardless of their masks, so a masked value could require other headers than the value in
 * the text. Such a value is settled before the key is masked. Its bits outside the mask are zero if
 * the key has all headers that the masked value and the text's value require; otherwise they are
 * chosen so that it requires what the text's value requires.
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
  // A nonzero mask becomes an exact one.
  if (record.isWild(level, SLOT_ETHERTYPE)) {
    settleType(record, level);
    return;
  }
  const network = lowestSlot(HEADER_WORD, networkSlots(be16At(record.bytes, at)));
  const proto = protoAt(network);
  if (proto >= 0) settleProto(record, network, proto);
}

/** Where proto is in the payload of a network header; -1 if the header has none. */
export function protoAt(network: number): number {
  return network === SLOT_IPV4 ? IPV4_PROTO : network === SLOT_IPV6 ? IPV6_PROTO : -1;
}

/**
 * Whether a deciding value has bits outside its mask, so that the bits sent depend on other values.
 */
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

/** Restores the bits that masking removed from the values settled by {@link settleDecisive}. */
export function putSettled(record: KeyRecord): void {
  for (let i = 0; i < settled; i++) record.bytes[SETTLED_AT[i]!] = SETTLED[i]!;
}

/** A byte of a tag at each level, the protocol, the fragment and the type of ICMPv6. */
const SETTLED_MAX = LEVELS + 3;

/** The offsets of the settled values that have bits outside their masks, and the values. */
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
 * For a tag that is present but not matched, a kernel would match all bits, or those of another
 * tag: `encode_vlan_from_nlattrs()` uses the key as the missing mask. To avoid matching what was
 * not asked for, the tag is sent without its cfi, and is therefore refused.
 */
function settleTag(record: KeyRecord, level: number): void {
  const at = keyOffset(level, SLOT_VLAN);
  if (record.isWild(level, SLOT_VLAN) && be16At(record.bytes, at) !== 0)
    settle(record, at + 1, 1, 0);
}

/**
 * An unmatched type is dropped, unless the key lacks the headers that it requires: then it is sent.
 */
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
      // Of all values that require the same headers, the first is used, regardless of the text.
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

/** The headers that a protocol requires in a given kind of fragment. */
function requiredHeaders(network: number, proto: number, frag: number): number {
  return frag === OVS_FRAG_TYPE_LATER ? 0 : transportSlots(network, proto);
}

/** Whether the key has all of the headers, at any level. */
function hasAll(record: KeyRecord, slots: number): boolean {
  let present = 0;
  for (let level = 0; level < LEVELS; level++) present |= record.headers(level);
  return (slots & ~present) === 0;
}

/** The level of the Ethernet type inside all tags; -1 if there is none. */
export function innermostType(record: KeyRecord): number {
  for (let level = LEVELS - 1; level >= 0; level--)
    if (record.has(level, SLOT_ETHERTYPE) && !isNoType(record, level)) return level;
  return -1;
}

/** Whether the type is `eth_type(0/0)`, which means nothing. */
function isNoType(record: KeyRecord, level: number): boolean {
  return (
    record.isWild(level, SLOT_ETHERTYPE) &&
    be16At(record.bytes, keyOffset(level, SLOT_ETHERTYPE)) === 0
  );
}

/** Removes unmatched types that have another type inside: they mean nothing. */
function forgetTypes(record: KeyRecord): void {
  for (let level = innermostType(record) - 1; level >= 0; level--) {
    if (record.isWild(level, SLOT_ETHERTYPE)) {
      const at = keyOffset(level, SLOT_ETHERTYPE);
      record.bytes.fill(0, at, at + 2);
    }
  }
}

/** The level of an attribute that occurs at most once in a key; -1 if it is absent. */
export function levelOf(record: KeyRecord, slot: number): number {
  for (let level = 0; level < LEVELS; level++) if (record.has(level, slot)) return level;
  return -1;
}
