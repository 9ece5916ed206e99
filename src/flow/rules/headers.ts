import { isAnyTag } from "../key/any-tag.ts";
import { isVlan } from "../key/called-for.ts";
import type { KeyRecord } from "../key/record.ts";
import { keyOffset, maskOffset } from "../key/record.ts";
import * as S from "../key/slots.ts";
import { KEY_BY_SLOT } from "../key/table.ts";
import { be16At } from "../bytes.ts";
import { etherTypeText, isMpls, type MatchFacts, VLAN_CFI_MASK } from "./facts.ts";
import { ETH_P_802_2, ETH_P_802_3_MIN } from "../../uapi/packet.ts";
import { type Refusal, refuse } from "./refusal.ts";

/** A key without a port in netlink (`ODPP_NONE` of OVS): only the mask is sent. */
const NO_PORT = 0xffff_ffff;

const VLAN_BITS = (1 << S.SLOT_ENCAP) | (1 << S.SLOT_VLAN) | (1 << S.SLOT_ETHERTYPE);

/** What is left of a key when its tags are taken off, as the kernel sees it. One is made and reused. */
export type Headers = {
  /** A bit for each slot that the key, or the mask, still has; a mask of zero is none. */
  keys: number;
  masks: number;
  /** The level of each slot. */
  readonly level: Uint8Array;
  etherType: number;
  etherTypeExact: boolean;
  ipProto: number;
  ipProtoMask: number;
  ipFrag: number;
  ipFragMask: number;
};

/** The one that {@link takeTags} and {@link readHeaders} fill. */
export const HEADERS: Headers = {
  keys: 0,
  masks: 0,
  level: new Uint8Array(S.SLOTS),
  etherType: 0,
  etherTypeExact: false,
  ipProto: 0,
  ipProtoMask: 0,
  ipFrag: 0,
  ipFragMask: 0,
};

/** The attribute is in the key. */
export function hasKey(headers: Headers, slot: number): boolean {
  return ((headers.keys >>> slot) & 1) === 1;
}

/** The attribute is in the mask, with a bit that is not 0. */
export function hasMask(headers: Headers, slot: number): boolean {
  return ((headers.masks >>> slot) & 1) === 1;
}

/** A byte of an attribute's key. */
export function keyByte(record: KeyRecord, headers: Headers, slot: number, offset: number): number {
  return record.bytes[keyOffset(headers.level[slot]!, slot) + offset]!;
}

/** A byte of an attribute's mask. */
export function maskByte(
  record: KeyRecord,
  headers: Headers,
  slot: number,
  offset: number,
): number {
  return record.bytes[maskOffset(headers.level[slot]!, slot) + offset]!;
}

/** Takes the tags off: `parse_vlan_from_nlattrs()`, for the key and then for the mask. */
export function takeTags(record: KeyRecord, headers: Headers): Refusal | undefined {
  headers.keys = keysOf(record, 0);
  headers.masks = masksOf(record, 0);
  headers.level.fill(0);
  let level = 0;
  while (level < S.LEVELS - 1) {
    const any = hasKey(headers, S.SLOT_ETHERNET) && isAnyTag(record, level);
    if (!any && !isTagged(record, headers, level)) break;
    const refusal = any
      ? undefined
      : (checkTag(record, headers, level) ?? checkTagMask(record, headers, level));
    if (refusal !== undefined) return refusal;
    const tagged = tciOf(record, level) !== 0;
    headers.keys &= ~VLAN_BITS;
    if (tagged) headers.masks &= ~VLAN_BITS;
    const inner = keysOf(record, level + 1);
    const twice = headers.keys & inner;
    if (twice !== 0)
      return refuse("key.duplicate", `${nameOf(twice)} is there inside encap() and outside it`);
    level++;
    headers.keys |= inner;
    headers.masks |= masksOf(record, level);
    for (let left = inner | masksOf(record, level); left !== 0; left &= left - 1)
      headers.level[31 - Math.clz32(left & -left)] = level;
    if (!tagged) break;
  }
  return undefined;
}

/** `validate_vlan_from_nlattrs()`: an Ethernet packet whose type is that of a tag. */
function isTagged(record: KeyRecord, headers: Headers, level: number): boolean {
  if (!hasKey(headers, S.SLOT_ETHERNET) || !hasKey(headers, S.SLOT_ETHERTYPE)) return false;
  return isVlan(be16At(record.bytes, keyOffset(level, S.SLOT_ETHERTYPE)));
}

function checkTag(record: KeyRecord, headers: Headers, level: number): Refusal | undefined {
  const type = etherTypeText(be16At(record.bytes, keyOffset(level, S.SLOT_ETHERTYPE)));
  if (!hasKey(headers, S.SLOT_VLAN) || !hasKey(headers, S.SLOT_ENCAP)) {
    const text = `eth_type(${type}) needs vlan() and encap() as well`;
    return refuse("key.vlan", text);
  }
  const tci = tciOf(record, level);
  if ((tci & VLAN_CFI_MASK) !== 0) return undefined;
  if (tci !== 0)
    return refuse("key.vlan", "vlan(): cfi must be 1, and matched, or the whole tag 0");
  if (record.present[level + 1] === 0) return undefined;
  return refuse("key.vlan", "a tag of 0 is a truncated one: encap() must be empty");
}

/** `validate_vlan_mask_from_nlattrs()`. */
function checkTagMask(record: KeyRecord, headers: Headers, level: number): Refusal | undefined {
  const isMatched = hasMask(headers, S.SLOT_VLAN);
  if (!isMatched && masksOf(record, level + 1) === 0) return undefined;
  if ((tciOf(record, level) & VLAN_CFI_MASK) === 0)
    return refuse("mask.vlan", "encap() is matched, but there is no tag before it");
  if (be16At(record.bytes, maskOffset(level, S.SLOT_ETHERTYPE)) !== 0xffff)
    return refuse("mask.vlan", "the eth_type before vlan() must be matched exactly");
  if ((record.bytes[maskOffset(level, S.SLOT_VLAN)]! & (VLAN_CFI_MASK >> 8)) === 0)
    return refuse("mask.vlan", "vlan(): cfi must be matched");
  return undefined;
}

function tciOf(record: KeyRecord, level: number): number {
  return be16At(record.bytes, keyOffset(level, S.SLOT_VLAN));
}

/** The attributes of a level that `writeKey` puts into the key. */
function keysOf(record: KeyRecord, level: number): number {
  let keys = record.present[level] ?? 0;
  if (record.has(level, S.SLOT_ETHERTYPE)) {
    if (be16At(record.bytes, keyOffset(level, S.SLOT_ETHERTYPE)) === 0)
      keys &= ~(1 << S.SLOT_ETHERTYPE);
  }
  if (record.has(level, S.SLOT_IN_PORT)) {
    if (record.words[keyOffset(level, S.SLOT_IN_PORT) >> 2] === NO_PORT)
      keys &= ~(1 << S.SLOT_IN_PORT);
  }
  return keys;
}

/** The attributes of a level that count in the mask: a zero mask is none, and so is an empty encap(). */
function masksOf(record: KeyRecord, level: number): number {
  if (level >= S.LEVELS) return 0;
  let masks = 0;
  for (let left = record.present[level]!; left !== 0; left &= left - 1) {
    const slot = 31 - Math.clz32(left & -left);
    const counts =
      slot === S.SLOT_ENCAP
        ? masksOf(record, level + 1) !== 0
        : slot !== S.SLOT_UNKNOWN && !record.isWild(level, slot);
    if (counts) masks |= 1 << slot;
  }
  return masks;
}

/** The type of the packet inside the tags, and the fields of IP that the other rules look at. */
export function readHeaders(record: KeyRecord, headers: Headers): Refusal | undefined {
  if (
    hasKey(headers, S.SLOT_VLAN) ||
    hasMask(headers, S.SLOT_VLAN) ||
    hasKey(headers, S.SLOT_ENCAP)
  )
    return refuse("key.vlan", "vlan() and encap() need eth() and eth_type(0x8100) or 0x88a8");
  const ethernet = hasKey(headers, S.SLOT_ETHERNET);
  headers.etherType = ETH_P_802_2;
  if (hasKey(headers, S.SLOT_ETHERTYPE)) {
    const level = headers.level[S.SLOT_ETHERTYPE]!;
    headers.etherType = be16At(record.bytes, keyOffset(level, S.SLOT_ETHERTYPE));
    if (headers.etherType < ETH_P_802_3_MIN) {
      const text = `eth_type(${etherTypeText(headers.etherType)}): Ethernet types begin at 0x0600`;
      return refuse("key.eth_type", text);
    }
  } else if (!ethernet) {
    return refuse("key.missing", "eth() or eth_type(): the kernel wants one of them");
  }
  headers.etherTypeExact = hasMask(headers, S.SLOT_ETHERTYPE);
  readIp(record, headers);
  return undefined;
}

/** IPv4, IPv6 and ARP share the kernel's fields, and the later one wins (`ovs_key_from_nlattrs()`). */
function readIp(record: KeyRecord, headers: Headers): void {
  headers.ipProto = 0;
  headers.ipProtoMask = 0;
  headers.ipFrag = 0;
  headers.ipFragMask = 0;
  if (hasKey(headers, S.SLOT_IPV4)) {
    headers.ipProto = keyByte(record, headers, S.SLOT_IPV4, 8);
    headers.ipFrag = keyByte(record, headers, S.SLOT_IPV4, 11);
  }
  if (hasMask(headers, S.SLOT_IPV4)) {
    headers.ipProtoMask = maskByte(record, headers, S.SLOT_IPV4, 8);
    headers.ipFragMask = maskByte(record, headers, S.SLOT_IPV4, 11);
  }
  if (hasKey(headers, S.SLOT_IPV6)) {
    headers.ipProto = keyByte(record, headers, S.SLOT_IPV6, 36);
    headers.ipFrag = keyByte(record, headers, S.SLOT_IPV6, 39);
  }
  if (hasMask(headers, S.SLOT_IPV6)) {
    headers.ipProtoMask = maskByte(record, headers, S.SLOT_IPV6, 36);
    headers.ipFragMask = maskByte(record, headers, S.SLOT_IPV6, 39);
  }
  if (hasKey(headers, S.SLOT_ARP)) headers.ipProto = keyByte(record, headers, S.SLOT_ARP, 9);
  if (hasMask(headers, S.SLOT_ARP)) headers.ipProtoMask = maskByte(record, headers, S.SLOT_ARP, 9);
}

/** What the actions may rely on. */
export function readFacts(record: KeyRecord, headers: Headers, facts: MatchFacts): void {
  facts.ethernet = hasKey(headers, S.SLOT_ETHERNET);
  facts.etherType = headers.etherTypeExact ? headers.etherType : 0;
  facts.vlanTci = record.has(0, S.SLOT_VLAN) ? tciOf(record, 0) : 0;
  facts.ipProto = headers.ipProto & headers.ipProtoMask;
  facts.ipFrag = headers.ipFrag & headers.ipFragMask;
  facts.nshNp = hasMask(headers, S.SLOT_NSH)
    ? keyByte(record, headers, S.SLOT_NSH, 3) & maskByte(record, headers, S.SLOT_NSH, 3)
    : 0;
  const labels = isMpls(facts.etherType) && hasMask(headers, S.SLOT_MPLS);
  facts.mplsLabels = labels ? record.mplsEntries[headers.level[S.SLOT_MPLS]!]! : 0;
}

/** The names of the slots of which there is a bit. */
function nameOf(slots: number): string {
  const names: string[] = [];
  for (let left = slots; left !== 0; left &= left - 1)
    names.push(keyName(31 - Math.clz32(left & -left)));
  return names.join(", ");
}

/** The word for a slot, with its parentheses. */
export function keyName(slot: number): string {
  return `${KEY_BY_SLOT[slot]?.name ?? "key"}()`;
}
