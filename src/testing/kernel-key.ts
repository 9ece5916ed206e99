import { LEVELS } from "../flow/key/levels.ts";
import { keyOffset, type KeyRecord, maskOffset, WORDS_OF_SLOT } from "../flow/key/record.ts";
import * as S from "../flow/key/slots.ts";
import { KEY_BY_SLOT, keyNamed, SIZE_OF_SLOT, TYPE_OF_SLOT } from "../flow/key/table.ts";
import { writeAttribute } from "../flow/key/encode.ts";
import type { KernelFeatures } from "../flow/rules/features.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import * as A from "../uapi/openvswitch.ts";
import * as P from "../uapi/packet.ts";

/*
 * A key as the kernel dumps it (`__ovs_nla_put_key` in net/openvswitch/flow_netlink.c): all metadata, and the headers
 * that what is matched calls for, whether they are matched or not.
 */

const NO_PORT = 0xffff_ffff;
const UPPER = 0xffff_0000;
/** In struct ovs_key_ipv4 and ovs_key_ipv6. */
const IPV4_PROTO = 8;
const IPV4_FRAG = 11;
const IPV6_PROTO = 36;
const IPV6_FRAG = 39;

const slotNamed = (name: string): number => keyNamed(name).slot;
const RECIRC_ID = slotNamed("recirc_id");
const DP_HASH = slotNamed("dp_hash");
const PRIORITY = slotNamed("skb_priority");
const SKB_MARK = slotNamed("skb_mark");
const CT_ZONE = slotNamed("ct_zone");
const CT_MARK = slotNamed("ct_mark");
const CT_LABELS = slotNamed("ct_label");
const UDP = slotNamed("udp");
const SCTP = slotNamed("sctp");
const ICMP = slotNamed("icmp");
const CT_TUPLE4_PROTO = 12;
const CT_TUPLE6_PROTO = 36;

/** What is dumped: the key, exact or masked, or the mask, as the masked key calls for. */
type KeyToDump = {
  /** Key and mask halves. */
  readonly record: KeyRecord;
  /** The key half, masked: it decides which headers there are. Its own for an exact key. */
  readonly decides: KeyRecord;
  readonly isMask: boolean;
  readonly features: KernelFeatures;
};

/** Writes the attributes of a key or of a mask. */
export function putKernelKey(writer: AttributeWriter, key: KeyToDump): void {
  const { features } = key;
  for (const slot of [RECIRC_ID, DP_HASH, PRIORITY]) put(writer, key, 0, slot);
  putTunnel(writer, key);
  putPort(writer, key);
  put(writer, key, 0, SKB_MARK);
  if (features.ct) put(writer, key, 0, S.SLOT_CT_STATE);
  if (features.ctZones) put(writer, key, 0, CT_ZONE);
  if (features.ctMark) put(writer, key, 0, CT_MARK);
  if (features.ctLabels) put(writer, key, 0, CT_LABELS);
  if (byteOf(key, 0, S.SLOT_CT_TUPLE4, CT_TUPLE4_PROTO) !== 0)
    put(writer, key, 0, S.SLOT_CT_TUPLE4);
  if (byteOf(key, 0, S.SLOT_CT_TUPLE6, CT_TUPLE6_PROTO) !== 0)
    put(writer, key, 0, S.SLOT_CT_TUPLE6);
  const isEthernet = key.decides.has(0, S.SLOT_ETHERNET);
  if (isEthernet) put(writer, key, 0, S.SLOT_ETHERNET);
  putLevel(writer, key, 0, isEthernet);
}

function putLevel(
  writer: AttributeWriter,
  key: KeyToDump,
  level: number,
  isEthernet: boolean,
): void {
  if (key.decides.has(level, S.SLOT_ENCAP) && level + 1 < LEVELS) {
    if (key.isMask) writer.be16(A.OVS_KEY_ATTR_ETHERTYPE, 0xffff);
    else put(writer, key, level, S.SLOT_ETHERTYPE);
    put(writer, key, level, S.SLOT_VLAN);
    const nest = writer.nest(A.OVS_KEY_ATTR_ENCAP);
    putLevel(writer, key, level + 1, isEthernet);
    writer.endNest(nest);
    return;
  }
  const type = be16Of(key, level, S.SLOT_ETHERTYPE, 0);
  if (isEthernet && type === 0 && isMatched802(key, level)) {
    if (key.isMask) put(writer, key, level, S.SLOT_ETHERTYPE);
    return;
  }
  put(writer, key, level, S.SLOT_ETHERTYPE);
  putNetwork(writer, key, level, type);
}

/** An 802.2 frame is meant: its type is matched and is none; of an exact key it is absent. */
function isMatched802({ decides, isMask }: KeyToDump, level: number): boolean {
  if (!decides.has(level, S.SLOT_ETHERTYPE)) return !isMask && isExact(decides);
  return !decides.isWild(level, S.SLOT_ETHERTYPE);
}

/** Exact keys are marked so: their tag of Ethernet is matched whole. */
function isExact(record: KeyRecord): boolean {
  return EXACT.has(record);
}

const EXACT = new WeakSet<KeyRecord>();

/** Marks a record as one that holds exact keys. */
export function holdsExactKeys(record: KeyRecord): KeyRecord {
  EXACT.add(record);
  return record;
}

function putNetwork(writer: AttributeWriter, key: KeyToDump, level: number, type: number): void {
  if (type === P.ETH_P_IP) {
    put(writer, key, level, S.SLOT_IPV4);
    const proto = byteOf(key, level, S.SLOT_IPV4, IPV4_PROTO);
    if (byteOf(key, level, S.SLOT_IPV4, IPV4_FRAG) !== P.OVS_FRAG_TYPE_LATER)
      putTransport(writer, key, level, proto, false);
  } else if (type === P.ETH_P_IPV6) {
    put(writer, key, level, S.SLOT_IPV6);
    if (key.features.keyMax >= A.OVS_KEY_ATTR_IPV6_EXTHDRS)
      put(writer, key, level, S.SLOT_IPV6_EXTHDRS);
    const proto = byteOf(key, level, S.SLOT_IPV6, IPV6_PROTO);
    if (byteOf(key, level, S.SLOT_IPV6, IPV6_FRAG) !== P.OVS_FRAG_TYPE_LATER)
      putTransport(writer, key, level, proto, true);
  } else if (type === P.ETH_P_ARP || type === P.ETH_P_RARP) put(writer, key, level, S.SLOT_ARP);
  else if (key.decides.has(level, S.SLOT_MPLS)) put(writer, key, level, S.SLOT_MPLS);
  else if (key.decides.has(level, S.SLOT_NSH)) put(writer, key, level, S.SLOT_NSH);
}

function putTransport(
  writer: AttributeWriter,
  key: KeyToDump,
  level: number,
  proto: number,
  six: boolean,
): void {
  if (proto === P.IPPROTO_TCP) {
    put(writer, key, level, S.SLOT_TCP);
    put(writer, key, level, S.SLOT_TCP_FLAGS);
  } else if (proto === P.IPPROTO_UDP) put(writer, key, level, UDP);
  else if (proto === P.IPPROTO_SCTP) put(writer, key, level, SCTP);
  else if (proto === P.IPPROTO_ICMP && !six) put(writer, key, level, ICMP);
  else if (proto === P.IPPROTO_ICMPV6 && six) {
    put(writer, key, level, S.SLOT_ICMPV6);
    const type = byteOf(key, level, S.SLOT_ICMPV6, 0);
    if (type === P.NDISC_NEIGHBOUR_SOLICITATION || type === P.NDISC_NEIGHBOUR_ADVERTISEMENT)
      put(writer, key, level, S.SLOT_ND);
  }
}

/** Of every mask, also where no tunnel is matched: then all there is of it is a TTL of zero. */
function putTunnel(writer: AttributeWriter, { record, isMask }: KeyToDump): void {
  if (record.has(0, S.SLOT_TUNNEL)) {
    writeAttribute(record, 0, S.SLOT_TUNNEL, isMask, writer);
  } else if (isMask) {
    const nest = writer.nest(A.OVS_KEY_ATTR_TUNNEL);
    writer.u8(A.OVS_TUNNEL_KEY_ATTR_TTL, 0);
    writer.endNest(nest);
  }
}

function putPort(writer: AttributeWriter, { record, decides, isMask }: KeyToDump): void {
  const has = decides.has(0, S.SLOT_IN_PORT);
  const port = has ? (decides.words[keyOffset(0, S.SLOT_IN_PORT) >> 2] ?? 0) : 0;
  const none = has ? port === NO_PORT : EXACT.has(decides);
  if (none) {
    if (isMask) writer.u32(A.OVS_KEY_ATTR_IN_PORT, NO_PORT);
  } else if (isMask) {
    const mask = record.words[maskOffset(0, S.SLOT_IN_PORT) >> 2] ?? 0;
    writer.u32(A.OVS_KEY_ATTR_IN_PORT, (UPPER | (mask & 0xffff)) >>> 0);
  } else writer.u32(A.OVS_KEY_ATTR_IN_PORT, port & 0xffff);
}

/** Writes one attribute as it is; what the record does not have is zero. */
function put(
  writer: AttributeWriter,
  { record, isMask }: KeyToDump,
  level: number,
  slot: number,
): void {
  if (KEY_BY_SLOT[slot]?.nested === true) {
    writeAttribute(record, level, slot, isMask, writer);
    return;
  }
  const size =
    slot === S.SLOT_MPLS ? (record.mplsEntries[level] ?? 0) * 4 : (SIZE_OF_SLOT[slot] ?? 0);
  const at = writer.reserve(TYPE_OF_SLOT[slot] ?? 0, size);
  if (at < 0) return;
  const from = isMask ? maskOffset(level, slot) : keyOffset(level, slot);
  writer.memory.u8.set(record.bytes.subarray(from, from + size), at);
}

function byteOf({ decides }: KeyToDump, level: number, slot: number, at: number): number {
  return decides.bytes[keyOffset(level, slot) + at] ?? 0;
}

function be16Of(key: KeyToDump, level: number, slot: number, at: number): number {
  return byteOf(key, level, slot, at) * 256 + byteOf(key, level, slot, at + 1);
}

/**
 * Makes of an exact key and a mask in normal form the key that the kernel keeps: each bit that is not matched is
 * zero.
 */
export function maskInto(masked: KeyRecord, exact: KeyRecord, mask: KeyRecord): void {
  masked.clear();
  for (let level = 0; level < LEVELS; level++) {
    const first = level * (mask.order.length / LEVELS);
    for (let i = 0; i < (mask.count[level] ?? 0); i++) {
      const slot = mask.order[first + i] ?? 0;
      masked.add(level, slot);
      const words = WORDS_OF_SLOT[slot] ?? 0;
      const key = keyOffset(level, slot) >> 2;
      const isNest = KEY_BY_SLOT[slot]?.nested === true;
      for (let word = key; word < key + words; word++) {
        const bits = mask.ints[word + words] ?? 0;
        // A nest says in words of its own, which have no mask, what is in it.
        masked.ints[word] = isNest ? (mask.ints[word] ?? 0) : (exact.ints[word] ?? 0) & bits;
        masked.ints[word + words] = bits;
      }
    }
    masked.mplsEntries[level] = mask.mplsEntries[level] ?? 0;
  }
}
