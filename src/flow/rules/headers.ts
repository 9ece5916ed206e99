import { isAnyTag } from "../key/any-tag.ts";
import {
  HEADER_WORD,
  LEVELS,
  lowestSlot,
  METADATA_WORD,
  SLOT_UNKNOWN,
  SLOT_WORDS,
  SLOTS,
  slotBit,
} from "../key/levels.ts";
import { keyOffset, type KeyRecord, maskOffset } from "../key/record.ts";
import { isVlan } from "../key/required-headers.ts";
import * as S from "../key/slots.ts";
import { fieldNamed, KEY_BY_SLOT } from "../key/table.ts";
import { be16At } from "../bytes.ts";
import { etherTypeText, isMpls, type MatchFacts, VLAN_CFI_MASK } from "./facts.ts";
import { ETH_P_802_2, ETH_P_802_3_MIN } from "../../uapi/packet.ts";
import { atKey, type Refusal, refuse } from "./refusal.ts";

// Takes the headers of a key, and of its mask, apart as the kernel does.

const TAG_BITS: number = slotBit(S.SLOT_ENCAP) | slotBit(S.SLOT_VLAN) | slotBit(S.SLOT_ETHERTYPE);

/** The rest of a key after its tags are taken off, as the kernel sees it. One object is reused. */
export type Headers = {
  /**
   * A bit for each slot that the key or the mask still has, in two words; a zero mask does not
   * count.
   */
  readonly keys: Int32Array;
  readonly masks: Int32Array;
  /** The level of each slot. */
  readonly level: Uint8Array;
  etherType: number;
  etherTypeExact: boolean;
  ipProto: number;
  ipProtoMask: number;
  ipFrag: number;
  ipFragMask: number;
};

/** The object that {@link takeTags} and {@link readHeaders} fill. */
export const HEADERS: Headers = {
  keys: new Int32Array(SLOT_WORDS),
  masks: new Int32Array(SLOT_WORDS),
  level: new Uint8Array(SLOTS),
  etherType: 0,
  etherTypeExact: false,
  ipProto: 0,
  ipProtoMask: 0,
  ipFrag: 0,
  ipFragMask: 0,
};

/** Whether the attribute is in the key. */
export function hasKey({ keys }: Headers, slot: number): boolean {
  return ((keys[slot >>> 5]! >>> slot) & 1) === 1;
}

/** Whether the attribute is in the mask, with a bit set. */
export function hasMask({ masks }: Headers, slot: number): boolean {
  return ((masks[slot >>> 5]! >>> slot) & 1) === 1;
}

/** A byte of an attribute in the key. */
export function keyByte(record: KeyRecord, headers: Headers, slot: number, offset: number): number {
  return record.bytes[keyOffset(headers.level[slot]!, slot) + offset]!;
}

/** A byte of an attribute in the mask. */
export function maskByte(
  record: KeyRecord,
  headers: Headers,
  slot: number,
  offset: number,
): number {
  return record.bytes[maskOffset(headers.level[slot]!, slot) + offset]!;
}

/** Takes the tags off, as `parse_vlan_from_nlattrs()` does for the key and then for the mask. */
export function takeTags(record: KeyRecord, headers: Headers): Refusal | undefined {
  headers.level.fill(0);
  for (let word = 0; word < SLOT_WORDS; word++) {
    headers.keys[word] = keysOf(record, 0, word);
    headers.masks[word] = masksOf(record, 0, word);
  }
  for (let level = 0; level < LEVELS - 1; level++) {
    const any = hasKey(headers, S.SLOT_ETHERNET) && isAnyTag(record, level);
    if (!any && !isTagged(record, headers, level)) break;
    const refusal = any
      ? undefined
      : (checkTag(record, headers, level) ?? checkTagMask(record, headers, level));
    if (refusal !== undefined) return refusal;
    const tagged = tciOf(record, level) !== 0;
    headers.keys[HEADER_WORD]! &= ~TAG_BITS;
    if (tagged) headers.masks[HEADER_WORD]! &= ~TAG_BITS;
    const twice = addLevel(record, headers, level + 1);
    if (twice >= 0)
      return atSlot(
        refuse("key.duplicate", `${keyName(twice)} is there inside encap() and outside it`),
        twice,
        level + 1,
      );
    if (!tagged) break;
  }
  return undefined;
}

/** Adds the attributes inside a tag. @returns a slot that is already present, or -1 */
function addLevel(record: KeyRecord, headers: Headers, level: number): number {
  for (let word = 0; word < SLOT_WORDS; word++) {
    const keys = keysOf(record, level, word);
    const masks = masksOf(record, level, word);
    const twice = headers.keys[word]! & keys;
    if (twice !== 0) return lowestSlot(word, twice);
    headers.keys[word]! |= keys;
    headers.masks[word]! |= masks;
    for (let left = keys | masks; left !== 0; left &= left - 1)
      headers.level[lowestSlot(word, left)] = level;
  }
  return -1;
}

/**
 * Whether a level has a tag (`validate_vlan_from_nlattrs()`): an Ethernet packet with a tag's type.
 */
function isTagged(record: KeyRecord, headers: Headers, level: number): boolean {
  if (!hasKey(headers, S.SLOT_ETHERNET) || !hasKey(headers, S.SLOT_ETHERTYPE)) return false;
  return isVlan(be16At(record.bytes, keyOffset(level, S.SLOT_ETHERTYPE)));
}

function checkTag(record: KeyRecord, headers: Headers, level: number): Refusal | undefined {
  const type = etherTypeText(be16At(record.bytes, keyOffset(level, S.SLOT_ETHERTYPE)));
  if (!hasKey(headers, S.SLOT_VLAN) || !hasKey(headers, S.SLOT_ENCAP)) {
    const refusal = refuse("key.vlan", `eth_type(${type}) needs vlan() and encap() as well`);
    return atSlot(refusal, S.SLOT_ETHERTYPE, level);
  }
  const tci = tciOf(record, level);
  if ((tci & VLAN_CFI_MASK) !== 0) return undefined;
  if (tci !== 0) {
    const refusal = refuse("key.vlan", "vlan(): cfi must be 1, and matched, or the whole tag 0");
    return atSlot(refusal, S.SLOT_VLAN, level, "cfi");
  }
  if (record.count[level + 1] === 0) return undefined;
  const refusal = refuse("key.vlan", "a tag of 0 is a truncated one: encap() must be empty");
  return atSlot(refusal, S.SLOT_ENCAP, level);
}

/** `validate_vlan_mask_from_nlattrs()`. */
function checkTagMask(record: KeyRecord, headers: Headers, level: number): Refusal | undefined {
  const isMatched = hasMask(headers, S.SLOT_VLAN);
  if (!isMatched && !hasMasks(record, level + 1)) return undefined;
  if ((tciOf(record, level) & VLAN_CFI_MASK) === 0) {
    const refusal = refuse("mask.vlan", "encap() is matched, but there is no tag before it");
    return atSlot(refusal, S.SLOT_ENCAP, level);
  }
  if (be16At(record.bytes, maskOffset(level, S.SLOT_ETHERTYPE)) !== 0xffff) {
    const refusal = refuse("mask.vlan", "the eth_type before vlan() must be matched exactly");
    return atSlot(refusal, S.SLOT_ETHERTYPE, level);
  }
  if ((record.bytes[maskOffset(level, S.SLOT_VLAN)]! & (VLAN_CFI_MASK >> 8)) === 0)
    return atSlot(refuse("mask.vlan", "vlan(): cfi must be matched"), S.SLOT_VLAN, level, "cfi");
  return undefined;
}

function tciOf(record: KeyRecord, level: number): number {
  return be16At(record.bytes, keyOffset(level, S.SLOT_VLAN));
}

/** The attributes of one word of a level that `writeKey` puts into the key. */
function keysOf(record: KeyRecord, level: number, word: number): number {
  const keys = record.present[level * SLOT_WORDS + word]!;
  if (word === METADATA_WORD) {
    const port = record.words[keyOffset(level, S.SLOT_IN_PORT) >> 2];
    return port === S.NO_PORT ? keys & ~slotBit(S.SLOT_IN_PORT) : keys;
  }
  const type = be16At(record.bytes, keyOffset(level, S.SLOT_ETHERTYPE));
  return type === 0 ? keys & ~slotBit(S.SLOT_ETHERTYPE) : keys;
}

/** The attributes of one word of a level that count in the mask: a zero mask does not. */
function masksOf(record: KeyRecord, level: number, word: number): number {
  let masks = 0;
  for (let left = record.present[level * SLOT_WORDS + word]!; left !== 0; left &= left - 1) {
    const slot = lowestSlot(word, left);
    const counts =
      slot === S.SLOT_ENCAP
        ? hasMasks(record, level + 1)
        : slot !== SLOT_UNKNOWN && !record.isWild(level, slot);
    if (counts) masks |= slotBit(slot);
  }
  return masks;
}

/** Whether a level has a mask; an empty encap() does not count. */
function hasMasks(record: KeyRecord, level: number): boolean {
  if (level >= LEVELS) return false;
  return masksOf(record, level, METADATA_WORD) !== 0 || masksOf(record, level, HEADER_WORD) !== 0;
}

/** Reads the type of the packet inside the tags, and the IP fields that other rules use. */
export function readHeaders(record: KeyRecord, headers: Headers): Refusal | undefined {
  const isTag = hasKey(headers, S.SLOT_VLAN) || hasMask(headers, S.SLOT_VLAN);
  if (isTag || hasKey(headers, S.SLOT_ENCAP)) {
    const slot = isTag ? S.SLOT_VLAN : S.SLOT_ENCAP;
    const text = "vlan() and encap() need eth() and eth_type(0x8100) or 0x88a8";
    return atSlot(refuse("key.vlan", text), slot, headers.level[slot]!);
  }
  const ethernet = hasKey(headers, S.SLOT_ETHERNET);
  headers.etherType = ETH_P_802_2;
  if (hasKey(headers, S.SLOT_ETHERTYPE)) {
    const level = headers.level[S.SLOT_ETHERTYPE]!;
    headers.etherType = be16At(record.bytes, keyOffset(level, S.SLOT_ETHERTYPE));
    if (headers.etherType < ETH_P_802_3_MIN) {
      const text = `eth_type(${etherTypeText(headers.etherType)}): Ethernet types begin at 0x0600`;
      return atSlot(refuse("key.eth_type", text), S.SLOT_ETHERTYPE, level);
    }
  } else if (!ethernet) {
    return refuse("key.missing", "eth() or eth_type(): the kernel requires one of them");
  }
  headers.etherTypeExact = hasMask(headers, S.SLOT_ETHERTYPE);
  headers.ipProto = 0;
  headers.ipProtoMask = 0;
  headers.ipFrag = 0;
  headers.ipFragMask = 0;
  for (const header of IP_HEADERS) readIp(record, headers, header);
  return undefined;
}

/**
 * A header with a protocol, or with the value that the kernel stores in its place; -1 for a missing
 * field.
 */
type IpHeader = { readonly slot: number; readonly proto: number; readonly frag: number };

/**
 * IPv4, IPv6 and ARP share fields in the kernel, and the last one wins (`ovs_key_from_nlattrs()`).
 */
const IP_HEADERS: readonly IpHeader[] = [
  { slot: S.SLOT_IPV4, proto: at("ipv4", "proto"), frag: at("ipv4", "frag") },
  { slot: S.SLOT_IPV6, proto: at("ipv6", "proto"), frag: at("ipv6", "frag") },
  // The low byte of the opcode.
  { slot: S.SLOT_ARP, proto: at("arp", "op") + 1, frag: -1 },
];

function at(key: string, field: string): number {
  return fieldNamed(key, field).offset;
}

function readIp(record: KeyRecord, headers: Headers, { slot, proto, frag }: IpHeader): void {
  if (hasKey(headers, slot)) {
    headers.ipProto = keyByte(record, headers, slot, proto);
    if (frag >= 0) headers.ipFrag = keyByte(record, headers, slot, frag);
  }
  if (hasMask(headers, slot)) {
    headers.ipProtoMask = maskByte(record, headers, slot, proto);
    if (frag >= 0) headers.ipFragMask = maskByte(record, headers, slot, frag);
  }
}

/** Sets the facts on which actions may rely. */
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

/** A refusal that points at the key of a slot, or at one of its fields. */
export function atSlot(refusal: Refusal, slot: number, level: number, field?: string): Refusal {
  return atKey(refusal, KEY_BY_SLOT[slot]?.name ?? "", level, field);
}

/** The name of a slot's key, with parentheses. */
export function keyName(slot: number): string {
  return `${KEY_BY_SLOT[slot]?.name ?? "key"}()`;
}
