import { isZero } from "../bytes.ts";
import { readContainer, writeContainer } from "../text/field.ts";
import { decodeKey, NO_MASK } from "./decode.ts";
import { unmaskReservedBits } from "./geneve.ts";
import { LEVELS, SLOT_UNKNOWN, slotBit } from "./levels.ts";
import { keyOffset, type KeyRecord, maskOffset, WORDS_OF_SLOT } from "./record.ts";
import { icmpv6Slots } from "./required-headers.ts";
import * as S from "./slots.ts";
import { TYPE_OF_SLOT } from "./table.ts";
import * as T from "./tunnel-fields.ts";

// The key of a packet in an upcall.

const EXACT_TYPE = 0xffff;

/**
 * Offsets in struct ovs_key_ipv6: the addresses, then the label, then proto, tclass, hlimit and
 * frag.
 */
const IPV6_ADDRESSES = 32;
const IPV6_LABEL = 32;
const IPV6_REST = 36;

/**
 * Reads the key of a packet, the payload of OVS_PACKET_ATTR_KEY, into `record`, which it clears
 * first: a key and a mask that match exactly such packets. An exact mask for every attribute is not
 * enough (`__ovs_nla_put_key`). The kernel leaves out the type of an 802.2 frame and the port of a
 * packet that came from none, which as a mask would mean any; and it includes attributes for which
 * the packet has no value, with uninitialized bytes. Only the port says that a packet came through
 * no tunnel; that a tunnel had no options cannot be expressed.
 *
 * No flow can match a packet that ends within its MPLS stack or its VLAN tag: the kernel refuses
 * the resulting key.
 * @returns false if the bytes are not a key
 */
export function decodePacketKey(
  bytes: Uint8Array,
  start: number,
  end: number,
  record: KeyRecord,
): boolean {
  if (!decodeKey(bytes, start, end, NO_MASK, 0, record)) return false;
  if (record.add(0, S.SLOT_IN_PORT)) {
    record.words[keyOffset(0, S.SLOT_IN_PORT) >> 2] = S.NO_PORT;
    record.words[maskOffset(0, S.SLOT_IN_PORT) >> 2] = S.NO_PORT;
  }
  if (record.has(0, S.SLOT_TUNNEL)) {
    matchMissingId(record);
    forgetReservedBits(record);
  }
  const level = innermostLevel(record);
  if (record.has(0, S.SLOT_ETHERNET) && record.add(level, S.SLOT_ETHERTYPE)) {
    writeContainer(record.bytes, maskOffset(level, S.SLOT_ETHERTYPE), 2, true, EXACT_TYPE);
  }
  for (let each = 0; each < LEVELS; each++) {
    if (record.has(each, S.SLOT_ND)) forgetMissingNd(record, each);
    if (record.has(each, S.SLOT_IPV6)) forgetTruncatedIpv6(record, each);
    if (record.has(each, S.SLOT_MPLS)) keepTruncatedMpls(record, each);
  }
  return true;
}

/** The level inside all tags. */
function innermostLevel(record: KeyRecord): number {
  let level = 0;
  while (level + 1 < LEVELS && record.has(level, S.SLOT_ENCAP)) level++;
  return level;
}

/**
 * Matches the absence of a tunnel id, rather than any id. The flag `key` expresses it, if not every
 * flag is matched; the flag left out is Geneve's, and Geneve always has an id.
 */
function matchMissingId(record: KeyRecord): void {
  const { bytes } = record;
  const at = keyOffset(0, S.SLOT_TUNNEL) + T.TUNNEL_PRESENT;
  const present = readContainer(bytes, at, 4, false);
  if ((present & T.TUNNEL_HAS_ID) !== 0) return;
  writeContainer(bytes, at, 4, false, present & ~T.TUNNEL_PLAIN_FLAGS);
  bytes[maskOffset(0, S.SLOT_TUNNEL) + T.TUNNEL_FLAGS] = T.TUNNEL_F_FULL & ~T.TUNNEL_F_OAM;
}

function forgetReservedBits({ bytes }: KeyRecord): void {
  const key = keyOffset(0, S.SLOT_TUNNEL);
  const present = readContainer(bytes, key + T.TUNNEL_PRESENT, 4, false);
  if ((present & T.TUNNEL_HAS_GENEVE) === 0) return;
  const length = readContainer(bytes, key + T.TUNNEL_OPTIONS_LENGTH, 2, false);
  const mask = maskOffset(0, S.SLOT_TUNNEL) + T.TUNNEL_OPTIONS;
  unmaskReservedBits(bytes, key + T.TUNNEL_OPTIONS, mask, length);
}

/**
 * Unmatches nd() if the packet has none: the kernel looks for it only if the code is 0
 * (`parse_icmpv6`), but puts it into the key if it is not.
 */
function forgetMissingNd(record: KeyRecord, level: number): void {
  const at = keyOffset(level, S.SLOT_ICMPV6);
  const [type, code] = [record.bytes[at]!, record.bytes[at + 1]!];
  if (
    !record.has(level, S.SLOT_ICMPV6) ||
    ((icmpv6Slots(type) & slotBit(S.SLOT_ND)) !== 0 && code === 0)
  )
    return;
  forget(record, level, S.SLOT_ND);
}

/**
 * In a truncated header everything is 0 but the label and the extension headers, which are not set
 * (`key_extract_l3l4`). A complete header is never all 0: 0 is an extension header, not a protocol.
 */
function forgetTruncatedIpv6(record: KeyRecord, level: number): void {
  const { bytes } = record;
  const at = keyOffset(level, S.SLOT_IPV6);
  if (!isZero(bytes, at, IPV6_ADDRESSES) || !isZero(bytes, at + IPV6_REST, 4)) return;
  bytes.fill(0, at + IPV6_LABEL, at + IPV6_REST);
  const mask = maskOffset(level, S.SLOT_IPV6);
  bytes.fill(0, mask + IPV6_LABEL, mask + IPV6_REST);
  if (record.has(level, S.SLOT_IPV6_EXTHDRS)) forget(record, level, S.SLOT_IPV6_EXTHDRS);
}

/**
 * No flow can have a stack without labels: it is kept as it came, rather than as a wildcard for any
 * stack.
 */
function keepTruncatedMpls(record: KeyRecord, level: number): void {
  if (record.mplsEntries[level] !== 0) return;
  const none = new Uint8Array(0);
  record.remove(level, S.SLOT_MPLS);
  record.unknown.push({ level, type: TYPE_OF_SLOT[S.SLOT_MPLS]!, key: none, mask: none });
  record.add(level, SLOT_UNKNOWN);
}

/** Wildcards an attribute but keeps it, since the kernel may require it. */
function forget(record: KeyRecord, level: number, slot: number): void {
  const from = keyOffset(level, slot);
  record.bytes.fill(0, from, from + WORDS_OF_SLOT[slot]! * 8);
}
