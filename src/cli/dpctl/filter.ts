import { parseKeyAttribute } from "../../flow/key/parse.ts";
import { KeyRecord, keyOffset, maskOffset, WORDS_OF_SLOT } from "../../flow/key/record.ts";
import { LEVELS, SLOT_ETHERTYPE, SLOT_VLAN } from "../../flow/key/slots.ts";
import type { PortNames } from "../../flow/ports.ts";
import { Cursor } from "../../flow/text/cursor.ts";
import { FlowSyntaxError } from "../../flow/text/syntax-error.ts";
import { MillraceError } from "../../sys/errors.ts";

/** Words that stand for an Ethernet type and a protocol (`ofp_parse_protocol` in OVS's lib/ofp-parse.c). */
const PROTOCOLS: Readonly<Record<string, readonly [type: number, protocol?: number]>> = {
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

/** The OpenFlow fields that a datapath's key has, in its own language; `*` is the value. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  in_port: ["in_port(*)"],
  dl_src: ["eth(src=*)"],
  dl_dst: ["eth(dst=*)"],
  dl_type: ["eth_type(*)"],
  dl_vlan: ["vlan(vid=*)"],
  dl_vlan_pcp: ["vlan(pcp=*)"],
  nw_src: ["ipv4(src=*)", "arp(sip=*)"],
  nw_dst: ["ipv4(dst=*)", "arp(tip=*)"],
  nw_proto: ["ipv4(proto=*)", "ipv6(proto=*)", "arp(op=*)"],
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

/** Other names of the same (`mf_from_name`). */
const ALIASES: Readonly<Record<string, string>> = {
  eth_src: "dl_src",
  eth_dst: "dl_dst",
  eth_type: "dl_type",
  vlan_vid: "dl_vlan",
  vlan_pcp: "dl_vlan_pcp",
  ip_src: "nw_src",
  ip_dst: "nw_dst",
  ip_proto: "nw_proto",
  ip_ecn: "nw_ecn",
  nw_frag: "ip_frag",
  tunnel_id: "tun_id",
};

/** What must be known of a flow before a field of it means something (`mf_are_prereqs_ok`). */
const PREREQUISITES: readonly (readonly [
  fields: RegExp,
  types: readonly number[],
  protocols: readonly number[],
])[] = [
  [/^nw_(src|dst)$/, [0x0800, 0x0806, 0x8035], []],
  [/^(nw_|ip_frag)/, [0x0800, 0x86dd], []],
  [/^ipv6_/, [0x86dd], []],
  [/^arp_/, [0x0806, 0x8035], []],
  [/^mpls_/, [0x8847, 0x8848], []],
  [/^tp_/, [0x0800, 0x86dd], [6, 17, 132]],
  [/^tcp_/, [0x0800, 0x86dd], [6]],
  [/^udp_/, [0x0800, 0x86dd], [17]],
  [/^sctp_/, [0x0800, 0x86dd], [132]],
  [/^icmp_/, [0x0800], [1]],
  [/^(icmpv6|nd)_/, [0x86dd], [58]],
];

/** One field of a filter: its value where the key has one of these attributes. */
type Condition = readonly { readonly slot: number; readonly record: KeyRecord }[];

/**
 * A filter of dump-flows: `tcp,nw_src=10.0.0.1,in_port=2`, each field with one value. As in ovs-dpctl
 * a flow passes where every field is as the filter says in the bits at which the flow looks: one that
 * does not look at a field passes.
 */
export class FlowFilter {
  readonly #conditions: Condition[] = [];
  readonly #seen = new Set<string>();
  #type: number | undefined;
  #protocol: number | undefined;

  /** @throws MillraceError `USAGE` with what is wrong */
  constructor(text: string, ports: PortNames) {
    for (const part of text.split(/[,\s]+/).filter((word) => word !== "")) {
      const [, key = "", value = ""] = /^([^=]*)=?(.*)$/.exec(part) ?? [];
      const protocol = PROTOCOLS[key];
      if (protocol === undefined) this.#addField(ALIASES[key] ?? key, key, value, ports);
      else this.#addProtocol(...protocol);
    }
  }

  /** Whether the flow passes whose key `record` holds. */
  passes(record: KeyRecord): boolean {
    return this.#conditions.every((condition) => meets(condition, record));
  }

  #addProtocol(type: number, protocol?: number): void {
    if (this.#type !== undefined) throw usage("Ethernet type set multiple times");
    this.#type = type;
    this.#conditions.push(conditionOf(["eth_type(*)"], `${type}`));
    if (protocol === undefined) return;
    this.#protocol = protocol;
    this.#conditions.push(conditionOf(FIELDS["nw_proto"] ?? [], `${protocol}`));
  }

  #addField(field: string, key: string, value: string, ports: PortNames): void {
    const patterns = FIELDS[field];
    if (patterns === undefined) throw usage(`unknown field ${key}`);
    const [, types = [], protocols = []] = PREREQUISITES.find(([names]) => names.test(field)) ?? [];
    const typeOk = types.length === 0 || (this.#type !== undefined && types.includes(this.#type));
    const protocolOk =
      protocols.length === 0 ||
      (this.#protocol !== undefined && protocols.includes(this.#protocol));
    if (!typeOk || !protocolOk) throw usage(`prerequisites not met for setting ${key}`);
    if (this.#seen.has(field)) throw usage(`field ${key} set multiple times`);
    this.#seen.add(field);
    if (value.includes("/") || (field !== "in_port" && /^[+-]/.test(value))) {
      throw usage(`bad value for ${key} (${value}: wildcards not allowed here)`);
    }
    try {
      this.#conditions.push(conditionOf(patterns, value, ports));
    } catch (error) {
      if (!(error instanceof FlowSyntaxError)) throw error;
      throw usage(`bad value for ${key} (${error.reason})`);
    }
    if (field === "dl_type") this.#type = Number(value);
    if (field === "nw_proto") this.#protocol = Number(value);
  }
}

function usage(message: string): MillraceError {
  return new MillraceError("USAGE", message);
}

function conditionOf(patterns: readonly string[], value: string, ports?: PortNames): Condition {
  return patterns.map((pattern) => {
    const text = new TextEncoder().encode(pattern.replace("*", () => value));
    const record = new KeyRecord();
    const cursor = new Cursor().reset(text, 0, text.length, 1);
    parseKeyAttribute(cursor, record, ports);
    if (cursor.position < cursor.end) cursor.fail("one value");
    const [slot = 0] = record.order;
    return { slot, record };
  });
}

function meets(condition: Condition, flow: KeyRecord): boolean {
  for (const { slot, record } of condition) {
    // A VLAN tag is the outermost one; all else is what the tags hold.
    for (let level = slot === SLOT_VLAN ? 0 : LEVELS - 1; level >= 0; level--) {
      if (!flow.has(level, slot)) continue;
      return equalWhereBothLook(flow, level, slot, record);
    }
    // A flow that knows its type and has no tag takes no packet that has one.
    if (slot === SLOT_VLAN) return !flow.has(0, SLOT_ETHERTYPE) || flow.isWild(0, SLOT_ETHERTYPE);
  }
  return true;
}

function equalWhereBothLook(
  flow: KeyRecord,
  level: number,
  slot: number,
  filter: KeyRecord,
): boolean {
  const words = WORDS_OF_SLOT[slot] ?? 0;
  const key = keyOffset(level, slot) >> 2;
  const mask = maskOffset(level, slot) >> 2;
  const wantedKey = keyOffset(0, slot) >> 2;
  const wantedMask = maskOffset(0, slot) >> 2;
  for (let i = 0; i < words; i++) {
    const looked = (flow.ints[mask + i] ?? 0) & (filter.ints[wantedMask + i] ?? 0);
    const differs = (flow.ints[key + i] ?? 0) ^ (filter.ints[wantedKey + i] ?? 0);
    if ((looked & differs) !== 0) return false;
  }
  return true;
}
