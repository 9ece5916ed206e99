// OpenFlow's words, which ovs-ofctl reads, and what a datapath has for them.

/** Words that stand for an Ethernet type and a protocol (`ofp_parse_protocol` in OVS's lib/ofp-parse.c). */
export const PROTOCOLS: Readonly<Record<string, readonly [type: number, protocol?: number]>> = {
  ip: [0x0800],
  ipv4: [0x0800],
  ip4: [0x0800],
  arp: [0x0806],
  icmp: [0x0800, 1],
  tcp: [0x0800, 6],
  udp: [0x0800, 17],
  sctp: [0x0800, 132],
  ipv6: [0x86dd],
  ip6: [0x86dd],
  icmp6: [0x86dd, 58],
  tcp6: [0x86dd, 6],
  udp6: [0x86dd, 17],
  sctp6: [0x86dd, 132],
  rarp: [0x8035],
  mpls: [0x8847],
  mplsm: [0x8848],
};

const PORTS = (side: "src" | "dst"): readonly string[] =>
  ["tcp", "udp", "sctp"].map((word) => `${word}(${side}=*)`);

/** The OpenFlow fields that a datapath's key has, in the datapath's language; `*` is the value. */
export const FIELDS: Readonly<Record<string, readonly string[]>> = {
  in_port: ["in_port(*)"],
  dl_src: ["eth(src=*)"],
  dl_dst: ["eth(dst=*)"],
  dl_type: ["eth_type(*)"],
  dl_vlan: ["vlan(vid=*)"],
  dl_vlan_pcp: ["vlan(pcp=*)"],
  nw_src: ["ipv4(src=*)", "arp(sip=*)"],
  nw_dst: ["ipv4(dst=*)", "arp(tip=*)"],
  nw_proto: ["ipv4(proto=*)", "ipv6(proto=*)", "arp(op=*)"],
  vlan_tci: ["vlan(*)"],
  vlan_vid: ["vlan(*)"],
  ip_dscp: ["ipv4(tos=*/0xfc)", "ipv6(tclass=*/0xfc)"],
  nw_tos: ["ipv4(tos=*/0xfc)", "ipv6(tclass=*/0xfc)"],
  nw_ecn: ["ipv4(tos=*/3)", "ipv6(tclass=*/3)"],
  nw_ttl: ["ipv4(ttl=*)", "ipv6(hlimit=*)"],
  ip_frag: ["ipv4(frag=*)", "ipv6(frag=*)"],
  ipv6_src: ["ipv6(src=*)"],
  ipv6_dst: ["ipv6(dst=*)"],
  ipv6_label: ["ipv6(label=*)"],
  arp_op: ["arp(op=*)"],
  arp_spa: ["arp(sip=*)"],
  arp_tpa: ["arp(tip=*)"],
  arp_sha: ["arp(sha=*)"],
  arp_tha: ["arp(tha=*)"],
  tp_src: PORTS("src"),
  tp_dst: PORTS("dst"),
  tcp_src: ["tcp(src=*)"],
  tcp_dst: ["tcp(dst=*)"],
  tcp_flags: ["tcp_flags(*)"],
  udp_src: ["udp(src=*)"],
  udp_dst: ["udp(dst=*)"],
  sctp_src: ["sctp(src=*)"],
  sctp_dst: ["sctp(dst=*)"],
  icmp_type: ["icmp(type=*)"],
  icmp_code: ["icmp(code=*)"],
  icmpv6_type: ["icmpv6(type=*)"],
  icmpv6_code: ["icmpv6(code=*)"],
  nd_target: ["nd(target=*)"],
  nd_sll: ["nd(sll=*)"],
  nd_tll: ["nd(tll=*)"],
  mpls_label: ["mpls(label=*)"],
  mpls_tc: ["mpls(tc=*)"],
  mpls_bos: ["mpls(bos=*)"],
  mpls_ttl: ["mpls(ttl=*)"],
  tun_id: ["tunnel(tun_id=*)"],
  tun_src: ["tunnel(src=*)"],
  tun_dst: ["tunnel(dst=*)"],
  tun_ipv6_src: ["tunnel(ipv6_src=*)"],
  tun_ipv6_dst: ["tunnel(ipv6_dst=*)"],
  tun_tos: ["tunnel(tos=*)"],
  tun_ttl: ["tunnel(ttl=*)"],
  tun_flags: ["tunnel(flags(*))"],
  tun_gbp_id: ["tunnel(vxlan(gbp(id=*)))"],
  tun_gbp_flags: ["tunnel(vxlan(gbp(flags=*)))"],
  tun_erspan_ver: ["tunnel(erspan(ver=*))"],
  tun_erspan_idx: ["tunnel(erspan(ver=1,idx=*))"],
  tun_erspan_dir: ["tunnel(erspan(ver=2,dir=*))"],
  tun_erspan_hwid: ["tunnel(erspan(ver=2,hwid=*))"],
  nsh_flags: ["nsh(flags=*)"],
  nsh_ttl: ["nsh(ttl=*)"],
  nsh_mdtype: ["nsh(mdtype=*)"],
  nsh_np: ["nsh(np=*)"],
  nsh_spi: ["nsh(spi=*)"],
  nsh_si: ["nsh(si=*)"],
  nsh_c1: ["nsh(c1=*)"],
  nsh_c2: ["nsh(c2=*)"],
  nsh_c3: ["nsh(c3=*)"],
  nsh_c4: ["nsh(c4=*)"],
  ct_state: ["ct_state(*)"],
  ct_zone: ["ct_zone(*)"],
  ct_mark: ["ct_mark(*)"],
  ct_label: ["ct_label(*)"],
  ct_nw_src: ["ct_tuple4(src=*)"],
  ct_nw_dst: ["ct_tuple4(dst=*)"],
  ct_nw_proto: ["ct_tuple4(proto=*)", "ct_tuple6(proto=*)"],
  ct_ipv6_src: ["ct_tuple6(src=*)"],
  ct_ipv6_dst: ["ct_tuple6(dst=*)"],
  ct_tp_src: ["ct_tuple4(tp_src=*)", "ct_tuple6(src_port=*)"],
  ct_tp_dst: ["ct_tuple4(tp_dst=*)", "ct_tuple6(dst_port=*)"],
  recirc_id: ["recirc_id(*)"],
  dp_hash: ["dp_hash(*)"],
  pkt_mark: ["skb_mark(*)"],
  skb_priority: ["skb_priority(*)"],
};

/** Aliases of fields (`mf_from_name`). */
export const ALIASES: Readonly<Record<string, string>> = {
  eth_src: "dl_src",
  eth_dst: "dl_dst",
  eth_type: "dl_type",
  vlan_pcp: "dl_vlan_pcp",
  ip_src: "nw_src",
  ip_dst: "nw_dst",
  ip_proto: "nw_proto",
  ip_ecn: "nw_ecn",
  nw_frag: "ip_frag",
  tunnel_id: "tun_id",
};

const OPENFLOW = "this is OpenFlow, the language of ovs-ofctl";

/** Said of words that have no counterpart. */
const NO_TABLES = `${OPENFLOW}; a datapath has no tables and priorities`;

/** Words that OpenFlow has around a match, and a datapath does not. */
const OTHERS =
  /^(table|priority|cookie|duration|n_packets|n_bytes|(idle|hard)_(timeout|age)|importance|send_flow_rem|check_overlap|reset_counts|metadata|conj_id|tun_metadata\d+|x*reg\d+)$/;

/** What was expected in place of a word of OpenFlow, and what it is called here. */
type OpenFlowHint = { readonly expected: string; readonly suggestion?: string };

/** About a word where a key is expected; undefined if it is not OpenFlow's. */
export function openFlowKey(word: string): OpenFlowHint | undefined {
  const meant = keysOf(word);
  if (meant.length > 0) {
    const suggestion = meant.join(" or ").replaceAll("*", "…");
    return { expected: `a key such as in_port(1): ${OPENFLOW}`, suggestion };
  }
  if (!OTHERS.test(word)) return undefined;
  return { expected: `a key such as in_port(1): ${NO_TABLES}` };
}

/** The keys of a datapath for a word of OpenFlow, with `*` for the value. */
function keysOf(word: string): readonly string[] {
  const fields = entryOf(FIELDS, entryOf(ALIASES, word) ?? word);
  if (fields !== undefined) return fields;
  const [type, protocol] = entryOf(PROTOCOLS, word) ?? [];
  if (type === undefined) return [];
  const header = { 0x0800: "ipv4", 0x86dd: "ipv6" }[type];
  if (header === undefined) return [`eth_type(0x${type.toString(16).padStart(4, "0")})`];
  const proto = protocol === undefined ? "" : `proto=${protocol},`;
  return [`eth_type(0x${type.toString(16).padStart(4, "0")}),${header}(${proto}frag=no)`];
}

/** What a field of OpenFlow is called in a filter; undefined if there is none. */
export function openFlowField(word: string): string | undefined {
  if (Object.hasOwn(PROTOCOLS, word)) return keysOf(word)[0]?.match(/ipv\d/)?.[0];
  const [first = ""] = keysOf(word);
  const [, key, field] = /^(\w+)\((?:(\w+)=)?\*/.exec(first) ?? [];
  return field === undefined ? key : `${key}.${field}`;
}

/** Actions of OpenFlow, and those of a datapath; an empty word stands for none. */
const ACTIONS: readonly (readonly [words: RegExp, meant: string])[] = [
  [/^(output|actions)$/, "2"],
  [/^(mod_(dl|nw|tp)_\w+|set_field|load|move)$/, "set(…)"],
  [/^(mod_vlan_\w+)$/, "push_vlan(vid=…,pcp=0)"],
  [/^strip_vlan$/, "pop_vlan"],
  [/^(resubmit|goto_table)$/, "recirc(1)"],
  [
    /^(normal|flood|all|local|controller|in_port|group|learn|enqueue|note|bundle|exit|write_metadata)$/,
    "",
  ],
];

/** As {@link openFlowKey}, where an action is expected. */
export function openFlowAction(word: string): OpenFlowHint | undefined {
  const found = ACTIONS.find(([words]) => words.test(word.toLowerCase()));
  if (found === undefined) return undefined;
  const [, suggestion] = found;
  const expected = `an action such as 2 or drop: ${OPENFLOW}`;
  return suggestion === "" ? { expected } : { expected, suggestion };
}

function entryOf<T>(table: Readonly<Record<string, T>>, word: string): T | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}
