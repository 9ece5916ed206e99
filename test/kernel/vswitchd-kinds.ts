/** Packets for ovs-vswitchd, and the OpenFlow fields that can be matched and changed. */

/** A field of a packet, in the ways in which a rule may match it. */
type Field = readonly [match: string, ...others: string[]];

/**
 * A kind of packet: the bytes after addresses and tags, the fields that can be matched, and the
 * actions for it.
 */
export type Kind = {
  readonly type: string;
  readonly payload: string;
  /** What a rule has to match before it may match or set the rest. */
  readonly wants: string;
  /** Fields of this packet, in the ways in which a rule may match them. */
  readonly fields: readonly Field[];
  readonly actions: readonly string[];
  /** A kernel does not take its actions for what has a tag. */
  readonly isUntagged?: boolean;
};

/** A number, big-endian. */
export const hex = (value: number, bytes: number): string =>
  value.toString(16).padStart(bytes * 2, "0");
const zeros = (bytes: number): string => "00".repeat(bytes);

function ipv4(proto: number, payload: string, fragment = 0): string {
  const length = hex(20 + payload.length / 2, 2);
  return `4510${length}0001${hex(fragment, 2)}40${hex(proto, 1)}00000a0102030a010304${payload}`;
}

function ipv6(next: number, payload: string): string {
  const length = hex(payload.length / 2, 2);
  return `62012345${length}${hex(next, 1)}40fd${zeros(14)}01fd${zeros(13)}0102${payload}`;
}

const PORTS4: readonly Field[] = [
  ["tp_src=4660", "tp_src=0x1200/0xff00"],
  ["tp_dst=80", "tp_dst=0x40/0xffc0"],
];
const IPV4: readonly Field[] = [
  ["nw_src=10.1.2.3", "nw_src=10.1.0.0/16", "nw_src=10.0.2.0/255.0.255.0"],
  ["nw_dst=10.1.3.4", "nw_dst=10.0.0.0/8"],
  ["nw_ttl=64"],
  ["nw_tos=16"],
  ["ip_frag=no"],
];
const IPV6: readonly Field[] = [
  ["ipv6_src=fd00::1", "ipv6_src=fd00::/8", "ipv6_src=::1/::ff"],
  ["ipv6_dst=fd00::102", "ipv6_dst=fd00::/64"],
  ["ipv6_label=0x12345", "ipv6_label=0x12000/0xff000"],
  ["nw_ttl=64"],
  ["nw_tos=32"],
];
const SET4: readonly string[] = [
  "set_field:10.9.8.7->ip_dst",
  "set_field:10.9.0.0/255.255.0.0->ip_src",
  "set_field:9->nw_ttl",
  "mod_nw_tos:32",
  "mod_nw_ecn:1",
  "dec_ttl",
  "ct(commit,table=2)",
  "ct(table=2,nat)",
  "ct(commit,exec(set_field:0x5/0xff->ct_mark,set_field:0x1234->ct_label))",
  "ct(commit,nat(src=10.9.0.1-10.9.0.9:1000-2000,random))",
  "ct(commit,nat(dst=10.9.0.1),table=2)",
  "ct(commit,force)",
  "ct_clear",
];
const SET6: readonly string[] = [
  "set_field:fd00::9->ipv6_dst",
  "set_field:fd01::/ffff::->ipv6_src",
  "set_field:0x54321->ipv6_label",
  "set_field:9->nw_ttl",
  "dec_ttl",
  "ct(commit,table=2)",
  "ct(commit,nat(src=fd00::1-fd00::9),table=2)",
  "ct_clear",
];

/** TCP or UDP over IPv4 and IPv6. */
function transport(
  version: 4 | 6,
  name: string,
  proto: number,
  payload: string,
  more: Kind["fields"],
): Kind {
  const [type, network, fields, sets] =
    version === 4 ? (["0800", ipv4, IPV4, SET4] as const) : (["86dd", ipv6, IPV6, SET6] as const);
  return {
    type,
    payload: network(proto, payload),
    wants: `dl_type=0x${type},nw_proto=${proto}`,
    fields: [...fields, ...PORTS4, ...more],
    actions: [...sets, `set_field:99->${name}_dst`, `set_field:0x5/0xf->${name}_src`],
  };
}

const TCP = `1234005000000001000000025012ffff00000000`;
const UDP = "1234005000080000";
const SCTP = "1234005000000001deadbeef";
const TCP_FLAGS: readonly Field[] = [["tcp_flags=+syn-rst", "tcp_flags=0x12"]];
const SOLICITATION = `8700000000000000fd${zeros(14)}090101020304050607`;

/** Every kind of packet. */
export const KINDS: readonly [Kind, ...Kind[]] = [
  transport(4, "udp", 17, UDP, []),
  transport(4, "tcp", 6, TCP, TCP_FLAGS),
  transport(4, "sctp", 132, SCTP, []),
  transport(6, "udp", 17, UDP, []),
  transport(6, "tcp", 6, TCP, TCP_FLAGS),
  // ICMP.
  {
    type: "0800",
    payload: ipv4(1, "0800000000010001"),
    wants: "dl_type=0x0800,nw_proto=1",
    fields: [...IPV4, ["icmp_type=8"], ["icmp_code=0"]],
    actions: SET4,
  },
  // A later fragment.
  {
    type: "0800",
    payload: ipv4(17, UDP, 0x2001),
    wants: "dl_type=0x0800",
    fields: [
      ["nw_src=10.1.2.3", "nw_src=10.1.0.0/16"],
      ["nw_proto=17"],
      ["ip_frag=later", "ip_frag=yes"],
    ],
    actions: ["set_field:10.9.8.7->ip_dst", "dec_ttl"],
  },
  // A neighbour solicitation.
  {
    type: "86dd",
    payload: ipv6(58, SOLICITATION),
    wants: "dl_type=0x86dd,nw_proto=58,icmp_type=135,icmp_code=0",
    fields: [...IPV6, ["nd_target=fd00::9", "nd_target=fd00::/16"], ["nd_sll=02:03:04:05:06:07"]],
    actions: ["set_field:fd00::77->nd_target", "set_field:02:00:00:00:00:55->nd_sll", "dec_ttl"],
  },
  // ARP.
  {
    type: "0806",
    payload: `00010800060400010200000000bb0a0102030000000000000a010304`,
    wants: "dl_type=0x0806",
    fields: [
      ["arp_op=1"],
      ["arp_spa=10.1.2.3", "arp_spa=10.1.0.0/16"],
      ["arp_tpa=10.1.3.4", "arp_tpa=10.0.0.0/8"],
      ["arp_sha=02:00:00:00:00:bb", "arp_sha=02:00:00:00:00:00/ff:00:00:00:00:00"],
      ["arp_tha=00:00:00:00:00:00"],
    ],
    actions: [
      "set_field:2->arp_op",
      "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]",
      "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]",
      "set_field:02:00:00:00:00:44->arp_sha",
    ],
  },
  // MPLS.
  {
    isUntagged: true,
    type: "8847",
    payload: `00010140${ipv4(17, UDP)}`,
    wants: "dl_type=0x8847",
    fields: [["mpls_label=16"], ["mpls_tc=0"], ["mpls_bos=1"], ["mpls_ttl=64"]],
    actions: [
      "set_field:99->mpls_label",
      "set_field:3->mpls_tc",
      "dec_mpls_ttl",
      "pop_mpls:0x0800",
      "push_mpls:0x8848,set_field:5->mpls_label",
    ],
  },
  // A type that nobody knows.
  {
    type: "88b5",
    payload: zeros(46),
    wants: "dl_type=0x88b5",
    fields: [],
    actions: [],
  },
];

/** Tags before a packet, and what may be matched of them. */
export const TAGS: readonly [tags: string, ...matches: string[]][] = [
  [
    "81000005",
    "dl_vlan=5",
    "vlan_tci=0x1005/0x1fff",
    "vlan_tci=0x1000/0x1000",
    "dl_vlan=5,dl_vlan_pcp=0",
  ],
  ["8100e006", "dl_vlan=6,dl_vlan_pcp=7", "vlan_tci=0xf000/0xf000", "dl_vlan=6"],
  ["88a800078100000a", "dl_vlan=7", "vlan_tci=0x1007/0x1fff", "vlan_tci=0x1000/0x1000"],
  ["810000088100000b", "dl_vlan=8"],
];
