import * as A from "../../uapi/openvswitch.ts";
import {
  be16,
  be32,
  flagBits,
  frag,
  hex,
  ipv4,
  ipv6,
  label128,
  mac,
  port,
  u16,
  u32,
  u8,
} from "../text/field.ts";
import * as S from "./slots.ts";
import type { KeySpec } from "./spec.ts";
import { row } from "./spec.ts";

export type { KeyForm, KeySpec } from "./spec.ts";
import { TUNNEL_SIZE } from "./tunnel-fields.ts";

const CT_STATE_NAMES = ["new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"];
const TCP_FLAG_NAMES = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", undefined];
const L4_PORTS = [be16("src", 0), be16("dst", 2)];
const HEX32 = u32("", 0, { radix: "hex" });
const KEEP = { keep: true };

/** Every attribute of a key. Parse, print, encode, decode, JSON and the reference follow from it. */
export const KEYS: readonly KeySpec[] = [
  row(
    S.SLOT_RECIRC_ID,
    "recirc_id",
    A.OVS_KEY_ATTR_RECIRC_ID,
    4,
    [HEX32],
    "the pass through the datapath: 0 for the first, or what recirc() gave",
    "recirc_id(0x5)",
    { since: "3.18" },
  ),
  row(
    S.SLOT_DP_HASH,
    "dp_hash",
    A.OVS_KEY_ATTR_DP_HASH,
    4,
    [HEX32],
    "the hash that hash() computed",
    "dp_hash(0x3/0xf)",
    { since: "3.18" },
  ),
  row(
    S.SLOT_PRIORITY,
    "skb_priority",
    A.OVS_KEY_ATTR_PRIORITY,
    4,
    [HEX32],
    "the packet's priority in the kernel",
    "skb_priority(0x1234/0xff)",
  ),
  row(
    S.SLOT_TUNNEL,
    "tunnel",
    A.OVS_KEY_ATTR_TUNNEL,
    TUNNEL_SIZE,
    [],
    "the tunnel that the packet came through",
    "tunnel(tun_id=0x7,src=10.0.0.1,dst=10.0.0.2,ttl=64,flags(df|key))",
    { form: "tunnel", since: "3.11" },
  ),
  row(
    S.SLOT_IN_PORT,
    "in_port",
    A.OVS_KEY_ATTR_IN_PORT,
    4,
    [port("", 0)],
    "the port of the datapath; the kernel matches it whole or not at all",
    "in_port(1)",
  ),
  row(
    S.SLOT_SKB_MARK,
    "skb_mark",
    A.OVS_KEY_ATTR_SKB_MARK,
    4,
    [HEX32],
    "the packet's mark in the kernel",
    "skb_mark(0x1234/0xfff0)",
    { since: "3.9" },
  ),
  row(
    S.SLOT_CT_STATE,
    "ct_state",
    A.OVS_KEY_ATTR_CT_STATE,
    4,
    [flagBits("", 0, 4, false, CT_STATE_NAMES, { full: 0xff, exact: 0xffff_ffff, numeric: true })],
    "what conntrack says of the packet",
    "ct_state(+trk+est-new)",
    { since: "4.3" },
  ),
  row(
    S.SLOT_CT_ZONE,
    "ct_zone",
    A.OVS_KEY_ATTR_CT_ZONE,
    2,
    [u16("", 0, { radix: "hex" })],
    "the conntrack zone",
    "ct_zone(0x5/0xff)",
    { since: "4.3" },
  ),
  row(
    S.SLOT_CT_MARK,
    "ct_mark",
    A.OVS_KEY_ATTR_CT_MARK,
    4,
    [HEX32],
    "the connection's mark",
    "ct_mark(0x1/0xf)",
    { since: "4.3" },
  ),
  row(
    S.SLOT_CT_LABELS,
    "ct_label",
    A.OVS_KEY_ATTR_CT_LABELS,
    16,
    [label128("", 0)],
    "the connection's labels, 128 bits",
    "ct_label(0x1/0xffff)",
    { since: "4.3" },
  ),
  row(
    S.SLOT_CT_TUPLE4,
    "ct_tuple4",
    A.OVS_KEY_ATTR_CT_ORIG_TUPLE_IPV4,
    16,
    [
      ipv4("src", 0),
      ipv4("dst", 4),
      u8("proto", 12),
      be16("tp_src", 8, { aliases: ["src_port"] }),
      be16("tp_dst", 10, { aliases: ["dst_port"] }),
    ],
    "the connection's first packet, IPv4",
    "ct_tuple4(src=10.0.0.1,dst=10.0.0.2,proto=17,tp_src=1,tp_dst=2)",
    { since: "4.11" },
  ),
  row(
    S.SLOT_CT_TUPLE6,
    "ct_tuple6",
    A.OVS_KEY_ATTR_CT_ORIG_TUPLE_IPV6,
    40,
    [
      ipv6("src", 0),
      ipv6("dst", 16),
      u8("proto", 36),
      be16("src_port", 32, { aliases: ["tp_src"] }),
      be16("dst_port", 34, { aliases: ["tp_dst"] }),
    ],
    "the connection's first packet, IPv6",
    "ct_tuple6(src=::1,dst=::2,proto=17,src_port=1,dst_port=2)",
    { since: "4.11" },
  ),
  row(
    S.SLOT_PACKET_TYPE,
    "packet_type",
    A.OVS_KEY_ATTR_PACKET_TYPE,
    4,
    [be16("ns", 0), be16("id", 2, { radix: "hex" })],
    "the type of the packet's outermost header",
    "packet_type(ns=0,id=0)",
    { where: "userspace" },
  ),
  row(
    S.SLOT_ETHERNET,
    "eth",
    A.OVS_KEY_ATTR_ETHERNET,
    12,
    [mac("src", 0), mac("dst", 6)],
    "the Ethernet header; without eth() the packet has none",
    "eth(src=00:01:02:03:04:05,dst=10:11:12:13:14:15)",
    KEEP,
  ),
  row(
    S.SLOT_ETHERTYPE,
    "eth_type",
    A.OVS_KEY_ATTR_ETHERTYPE,
    2,
    [be16("", 0, { radix: "hex4", maskRadix: "hex4" })],
    "the Ethernet type, from 0x0600; the kernel matches it whole or not at all",
    "eth_type(0x0800)",
  ),
  row(
    S.SLOT_VLAN,
    "vlan",
    A.OVS_KEY_ATTR_VLAN,
    2,
    [
      be16("vid", 0, { bits: 12, maskRadix: "0xhex" }),
      be16("pcp", 0, { shift: 13, bits: 3, maskRadix: "0xhex" }),
      be16("cfi", 0, { shift: 12, bits: 1 }),
    ],
    "a VLAN tag; encap() after it holds what the tag holds",
    "vlan(vid=99,pcp=7)",
    KEEP,
  ),
  row(
    S.SLOT_ENCAP,
    "encap",
    A.OVS_KEY_ATTR_ENCAP,
    0,
    [],
    "what is inside the VLAN tag; two tags at most",
    "eth_type(0x8100),vlan(vid=99,pcp=7),encap(eth_type(0x1234))",
    { form: "encap", keep: true },
  ),
  row(
    S.SLOT_IPV4,
    "ipv4",
    A.OVS_KEY_ATTR_IPV4,
    12,
    [
      ipv4("src", 0),
      ipv4("dst", 4),
      u8("proto", 8),
      u8("tos", 9, { radix: "hex" }),
      u8("ttl", 10),
      frag("frag", 11),
    ],
    "the IPv4 header",
    "ipv4(src=10.0.0.0/255.0.0.0,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no)",
    KEEP,
  ),
  row(
    S.SLOT_IPV6,
    "ipv6",
    A.OVS_KEY_ATTR_IPV6,
    40,
    [
      ipv6("src", 0),
      ipv6("dst", 16),
      be32("label", 32, { bits: 20, radix: "hex" }),
      u8("proto", 36),
      u8("tclass", 37, { radix: "hex" }),
      u8("hlimit", 38),
      frag("frag", 39),
    ],
    "the IPv6 header",
    "ipv6(src=2001:db8::/ffff:ffff::,dst=::2,label=0,proto=17,tclass=0,hlimit=64,frag=no)",
    KEEP,
  ),
  row(
    S.SLOT_IPV6_EXTHDRS,
    "key32",
    A.OVS_KEY_ATTR_IPV6_EXTHDRS,
    2,
    [hex("", 0, 2)],
    "which IPv6 extension headers there are (OVS has no name for it)",
    "key32(00 00/00 00)",
    // As OVS, which prints what it has no name for, wildcarded or not.
    { keep: true, since: "5.18" },
  ),
  row(
    S.SLOT_NSH,
    "nsh",
    A.OVS_KEY_ATTR_NSH,
    24,
    [
      u8("flags", 0),
      u8("ttl", 1),
      u8("mdtype", 2),
      u8("np", 3),
      be32("spi", 4, { shift: 8, bits: 24, radix: "0xhex", maskRadix: "0xhex" }),
      be32("si", 4, { bits: 8 }),
      be32("c1", 8, { radix: "0xhex", maskRadix: "0xhex" }),
      be32("c2", 12, { radix: "0xhex", maskRadix: "0xhex" }),
      be32("c3", 16, { radix: "0xhex", maskRadix: "0xhex" }),
      be32("c4", 20, { radix: "0xhex", maskRadix: "0xhex" }),
    ],
    "the network service header",
    "nsh(flags=0,ttl=63,mdtype=1,np=3,spi=0x7,si=255,c1=0x1,c2=0x2,c3=0x3,c4=0x4)",
    { keep: true, since: "4.15" },
  ),
  row(
    S.SLOT_ARP,
    "arp",
    A.OVS_KEY_ATTR_ARP,
    24,
    [
      ipv4("sip", 0),
      ipv4("tip", 4),
      // A kernel keeps the low byte of the opcode, and refuses what has more.
      be16("op", 8, { limit: 0xff }),
      mac("sha", 10),
      mac("tha", 16),
    ],
    "ARP and RARP",
    "arp(sip=10.0.0.1,tip=10.0.0.2,op=1,sha=00:01:02:03:04:05,tha=00:00:00:00:00:00)",
    KEEP,
  ),
  row(
    S.SLOT_MPLS,
    "mpls",
    A.OVS_KEY_ATTR_MPLS,
    4 * S.MPLS_ENTRIES_MAX,
    [
      be32("label", 0, { shift: 12, bits: 20, maskRadix: "0xhex" }),
      be32("tc", 0, { shift: 9, bits: 3, maskRadix: "bare" }),
      be32("ttl", 0, { bits: 8, maskRadix: "0xhex" }),
      be32("bos", 0, { shift: 8, bits: 1, maskRadix: "bare" }),
    ],
    "a stack of one to three MPLS labels; a repeated field begins the next one",
    "mpls(label=100,tc=3,ttl=64,bos=1)",
    { form: "mpls", keep: true, since: "3.19" },
  ),
  row(
    S.SLOT_TCP,
    "tcp",
    A.OVS_KEY_ATTR_TCP,
    4,
    L4_PORTS,
    "TCP ports; tcp_flags() is needed beside it",
    "tcp(src=80/0xff00,dst=8080)",
    KEEP,
  ),
  row(
    S.SLOT_TCP_FLAGS,
    "tcp_flags",
    A.OVS_KEY_ATTR_TCP_FLAGS,
    2,
    [flagBits("", 0, 2, true, [...TCP_FLAG_NAMES, undefined, undefined], { bits: 12 })],
    "TCP flags",
    "tcp_flags(+syn-ack)",
    { keep: true, since: "3.13" },
  ),
  row(S.SLOT_UDP, "udp", A.OVS_KEY_ATTR_UDP, 4, L4_PORTS, "UDP ports", "udp(src=1,dst=2)", KEEP),
  row(S.SLOT_SCTP, "sctp", A.OVS_KEY_ATTR_SCTP, 4, L4_PORTS, "SCTP ports", "sctp(src=1,dst=2)", {
    keep: true,
    since: "3.12",
  }),
  row(
    S.SLOT_ICMP,
    "icmp",
    A.OVS_KEY_ATTR_ICMP,
    2,
    [u8("type", 0), u8("code", 1)],
    "ICMP",
    "icmp(type=8,code=0)",
    KEEP,
  ),
  row(
    S.SLOT_ICMPV6,
    "icmpv6",
    A.OVS_KEY_ATTR_ICMPV6,
    2,
    [u8("type", 0), u8("code", 1)],
    "ICMPv6; types 135 and 136 need nd() as well",
    "icmpv6(type=135,code=0)",
    KEEP,
  ),
  row(
    S.SLOT_ND,
    "nd",
    A.OVS_KEY_ATTR_ND,
    28,
    [ipv6("target", 0), mac("sll", 16), mac("tll", 22)],
    "IPv6 neighbour discovery",
    "nd(target=::3,sll=00:05:06:07:08:09,tll=00:0a:0b:0c:0d:0e)",
    KEEP,
  ),
  row(
    S.SLOT_ND_EXTENSIONS,
    "nd_ext",
    A.OVS_KEY_ATTR_ND_EXTENSIONS,
    8,
    [be32("nd_reserved", 0, { radix: "0xhex" }), u8("nd_options_type", 4)],
    "more of IPv6 neighbour discovery",
    "nd_ext(nd_reserved=0x0,nd_options_type=2)",
    { where: "userspace" },
  ),
];

/** KEYS by slot; undefined for SLOT_UNKNOWN. */
export const KEY_BY_SLOT: readonly (KeySpec | undefined)[] = Array.from(
  { length: S.SLOTS },
  (_, slot) => KEYS.find((key) => key.slot === slot),
);

/** The slot of each attribute type that KEYS has; -1 for the others. */
export const SLOT_OF_TYPE: Int8Array = slotsByType();

function slotsByType(): Int8Array {
  const slots = new Int8Array(64).fill(-1);
  for (const key of KEYS) slots[key.type] = key.slot;
  return slots;
}

/** The attribute type of each slot. */
export const TYPE_OF_SLOT: Int32Array = Int32Array.from(KEY_BY_SLOT, (key) => key?.type ?? 0);

/** Bytes of each slot's payload. */
export const SIZE_OF_SLOT: Int32Array = Int32Array.from(KEY_BY_SLOT, (key) => key?.size ?? 0);

/** Whether an attribute's payload has the length that the kernel wants; a nest says so itself. */
export function isWellSized(slot: number, length: number): boolean {
  const size = SIZE_OF_SLOT[slot]!;
  if (slot === S.SLOT_ENCAP || slot === S.SLOT_TUNNEL || slot === S.SLOT_NSH) return true;
  // A wildcarded stack is dumped with no entries.
  if (slot === S.SLOT_MPLS) return length <= size && (length & 3) === 0;
  return length === size;
}
