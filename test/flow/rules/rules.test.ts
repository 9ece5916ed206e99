import { NEWEST_ACTION } from "../../../src/flow/action/table.ts";
import { describe, expect, test } from "bun:test";
import { FlowRefusedError, FlowRejectedError } from "../../../src/flow/rules/errors.ts";
import { keyOffset } from "../../../src/flow/key/record.ts";
import { SLOT_ARP } from "../../../src/flow/key/slots.ts";
import { newFacts } from "../../../src/flow/rules/facts.ts";
import { ALL_FEATURES } from "../../../src/flow/rules/features.ts";
import { validateKey } from "../../../src/flow/rules/key.ts";
import { keyOf, normalized } from "../harness.ts";
import { verdict } from "./support.ts";

const ETH = "in_port(1),eth()";
const IP = `${ETH},eth_type(0x0800)`;
const IPV4 = `${IP},ipv4(frag=no)`;
const UDP = `${IP},ipv4(proto=17,frag=no),udp()`;
const TCP = `${IP},ipv4(proto=6,frag=no),tcp(),tcp_flags(0/0)`;
const IPV6 = `${ETH},eth_type(0x86dd),ipv6(proto=17,frag=no),udp()`;
const MPLS = `${ETH},eth_type(0x8847),mpls(label=1,tc=0,ttl=1,bos=1)`;
const L3 = "in_port(1),eth_type(0x0800),ipv4(frag=no)";
const VLAN = `${ETH},eth_type(0x8100),vlan(vid=5),encap(eth_type(0x0800),ipv4(frag=no))`;
const NSH = `${ETH},eth_type(0x894f),nsh(mdtype=1,np=1)`;
const TUNNEL = "tunnel(tun_id=1,dst=1.1.1.1,ttl=64)";

describe("the kernel takes", () => {
  const lines: readonly string[] = [
    "eth() 1",
    `${ETH} drop`,
    `${ETH},eth_type(0x1234) 1`,
    "eth_type(0x0800),ipv4() 1",
    `${IPV4} 1`,
    `${UDP} 1`,
    `${TCP} 1`,
    `${IPV6} 1`,
    `${MPLS} 1`,
    `${NSH} 1`,
    `${VLAN} 1`,
    `${ETH},eth_type(0x88a8),vlan(vid=5),encap(eth_type(0x8100),vlan(vid=6),encap(eth_type(0x0800),ipv4())) 1`,
    `${IP},ipv4(proto=6,frag=later) 1`,
    `${IP},ipv4(proto=17/0xf0),udp() 1`,
    `${IP},ipv4(proto=47/0x1) 1`,
    `${IP},ipv4(proto=255/0x6) 1`,
    `${ETH},eth_type(0x8100),vlan(vid=1),encap() 1`,
    `${ETH},eth_type(0x88a8),vlan(vid=8/0x12c),encap(eth_type(0/0xffff),vlan(vid=300,pcp=0),encap(eth_type(0x0800),ipv4())) 1`,
    `${ETH},eth_type(0x0806),arp(op=1) 1`,
    `${ETH},eth_type(0x86dd),ipv6(proto=58,frag=no),icmpv6(type=135,code=0),nd(target=::1) 1`,
    `${ETH},eth_type(0x86dd),ipv6(proto=58,frag=no),icmpv6(type=1) 1`,
    `${TUNNEL},${IPV4} 1`,
    `ct_state(+trk),ct_zone(1),ct_mark(1),ct_label(1),${IPV4} ct(commit,mark=1,nat(src=1.1.1.1))`,
    `ct_tuple4(src=1.1.1.1),${IPV4} 1`,
    `ct_tuple6(src=::1),${IPV6} 1`,
    `${IPV6},key32(00 01/00 01) 1`,
    `${IPV4} set(ipv4(ttl=1)),set(eth(dst=1:1:1:1:1:1)),set(skb_mark(1)),set(ct_mark(1))`,
    `${IP},ipv4(proto=5,frag=no) set(ipv4(src=1.1.1.1,dst=1.1.1.1,proto=5,tos=0,ttl=1,frag=no))`,
    `${TCP} set(tcp(src=1,dst=2))`,
    `${UDP} set(udp(src=1)),2`,
    `${IPV6} set(ipv6(label=1))`,
    `${MPLS} set(mpls(label=1,tc=0,ttl=1,bos=0)),pop_mpls(eth_type=0x800)`,
    `${ETH} set(tunnel(tun_id=1,dst=1.1.1.1,ttl=64,flags(key))),2`,
    `${VLAN} pop_vlan,push_vlan(vid=1,pcp=0),1`,
    `${VLAN} pop_vlan,push_mpls(label=1,tc=0,ttl=1,bos=1,eth_type=0x8847),1`,
    `${IPV4} push_mpls(label=1,tc=0,ttl=1,bos=1,eth_type=0x8847),pop_mpls(eth_type=0x800)`,
    `${IPV4} add_mpls(label=1,tc=0,ttl=1,bos=1,eth_type=0x8847)`,
    `${L3} push_eth(src=1:1:1:1:1:1,dst=1:1:1:1:1:1),1`,
    `${IPV4} pop_eth,push_eth(src=1:1:1:1:1:1,dst=1:1:1:1:1:1),1`,
    `${IPV4} push_nsh(np=3),1`,
    `${L3} push_nsh(np=1),1`,
    `${NSH} pop_nsh(),1`,
    `${IPV4} sample(sample=1%,actions(1,drop)),clone(set(ipv4(ttl=1)),2),dec_ttl(le_1()),drop`,
    `${IPV4} check_pkt_len(size=1,gt(drop),le(1))`,
    `${IPV4} meter(5),trunc(14),recirc(7),hash(l4(0)),hash(sym_l4(1)),ct_clear`,
    `${IPV4} psample(group=1,cookie=0x01),userspace(pid=1)`,
    `${IPV4} ${"clone(".repeat(16)}1${")".repeat(16)}`,
  ];
  test.each(lines)("%s", (line) => {
    expect(verdict(line)).toBeUndefined();
  });
});

test("an opcode of ARP above 255, which no text has, is told of a message that came ready-made", () => {
  const record = normalized(keyOf(`${ETH},eth_type(0x0806),arp(op=1)`));
  expect(validateKey(record, ALL_FEATURES, newFacts())).toBeUndefined();
  record.bytes[keyOffset(0, SLOT_ARP) + 8] = 1;
  expect(validateKey(record, ALL_FEATURES, newFacts())?.rule).toBe("key.arp");
});

describe("the kernel refuses", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["in_port(1) 1", "key.missing", "eth() or eth_type()"],
    ["in_port(65535),eth() 1", "key.in_port", "below 65535"],
    [`${ETH},eth_type(0x0500) 1`, "key.eth_type", "begin at 0x0600"],
    [`${IP} 1`, "key.missing", "ipv4() is missing"],
    [`${ETH},eth_type(0x86dd) 1`, "key.missing", "ipv6() is missing"],
    [`${ETH},eth_type(0x0806) 1`, "key.missing", "arp() is missing"],
    [`${ETH},eth_type(0x8848) 1`, "key.missing", "mpls() is missing"],
    [`${ETH},eth_type(0x894f) 1`, "key.missing", "nsh() is missing"],
    [`${IP},ipv4(proto=17) 1`, "key.missing", "udp() is missing"],
    [
      `${IP},ipv4(proto=6),tcp() 1`,
      "key.missing",
      "tcp needs tcp_flags() as well: the kernel requires both for proto 6",
    ],
    [
      `${IP},ipv4(proto=132) 1`,
      "key.missing",
      "sctp() is missing: the kernel requires it for proto 132",
    ],
    [
      `${ETH},eth_type(0x86dd),ipv6(proto=58),icmpv6(type=136,code=0) 1`,
      "key.missing",
      "nd() is missing",
    ],
    [`${IPV4},udp(src=1) 1`, "mask.unexpected", "udp() is matched, but does not belong"],
    [`${IP},ipv4(proto=17,frag=later),udp(src=1) 1`, "mask.unexpected", "udp() is matched"],
    [`${IP},ipv4(proto=17/0x11),udp(src=1) 1`, "mask.proto", "proto must be matched exactly"],
    [`${ETH},eth_type(0x0800/0),ipv4(src=1.1.1.1) 1`, "mask.unexpected", "ipv4() is matched"],
    [
      `${ETH},eth_type(0x86dd),ipv6(proto=58),icmpv6(type=135/0x87),nd(target=::1) 1`,
      "mask.nd",
      "type must be matched exactly",
    ],
    [
      `ct_tuple6(src=::1),${ETH},eth_type(0x86dd),ipv6(proto=58),icmpv6(type=135),nd() 1`,
      "mask.ct_tuple6",
      "cannot be matched together",
    ],
    [`ct_tuple4(src=1.1.1.1),${IPV6} 1`, "mask.ct_tuple", "needs eth_type(0x0800)"],
    [`${ETH},eth_type(0x8100),vlan(vid=1) 1`, "key.vlan", "needs vlan() and encap()"],
    [
      `${ETH},eth_type(0x8100),vlan(vid=1,cfi=0),encap(eth_type(0x0800),ipv4()) 1`,
      "key.vlan",
      "cfi must be 1",
    ],
    [
      `${ETH},eth_type(0x8100),vlan(vid=5/0,cfi=1/0),encap() 1`,
      "key.vlan",
      "cfi must be 1, and matched",
    ],
    // By the value that the text has, whatever is left of it under its mask.
    [`${IP},ipv4(proto=17/0xf0) 1`, "key.missing", "udp() is missing"],
    [`${IP},ipv4(proto=6/0) 1`, "key.missing", "tcp() is missing"],
    [
      `${ETH},eth_type(0x86dd),ipv6(proto=58),icmpv6(type=135/0xf0) 1`,
      "key.missing",
      "nd() is missing",
    ],
    [`${ETH},eth_type(0x0800/0) 1`, "key.missing", "ipv4() is missing"],
    [`${ETH},eth_type(0x0800),ipv4(),vlan(vid=1) 1`, "key.vlan", "vlan() and encap() need eth()"],
    [
      `${ETH},eth_type(0x8100),vlan(vid=1),encap(in_port(1),eth_type(0x0800),ipv4()) 1`,
      "key.duplicate",
      "in_port()",
    ],
    [`tunnel(dst=1.1.1.1),${IPV4} 1`, "tunnel", "needs ttl="],
    [`tunnel(ttl=1),${IPV4} 1`, "tunnel", "needs dst= or ipv6_dst="],
    [`tunnel(src=1.1.1.1,ipv6_dst=::1,ttl=1),${IPV4} 1`, "tunnel", "not both"],
    [`tunnel(src=1.1.1.1,ttl=1),${IPV4} 1`, "tunnel", "must not be 0"],
    [`key99(00),${IPV4} 1`, "key.unknown", "key99()"],
    [`nd_ext(nd_reserved=0x0,nd_options_type=2),${IPV4} 1`, "key.userspace", "nd_ext()"],
    [`${ETH} 65535`, "action.output", "output to port 65535: ports are below 65535"],
    [`${ETH} trunc(13)`, "action.trunc", "at least 14"],
    [`${ETH} drop(1),1`, "action.drop", "must be the last"],
    [`${ETH} clone(drop(1),1)`, "action.drop", "must be the last"],
    [`${ETH} action8(02 00 00 00 00 00 00 00)`, "action.hash", "algorithm 2"],
    [`${ETH} action999(00)`, "action.unknown", `knows 1 to ${NEWEST_ACTION}`],
    [`${ETH} action1(01)`, "action.length", "output has 1 byte: the kernel requires 4"],
    [`${ETH} userspace(pid=0)`, "action.userspace", "not be 0"],
    [`${ETH} action2()`, "action.userspace", "must be there"],
    [`${ETH} push_vlan(tpid=0x9100,vid=1,pcp=0)`, "action.push_vlan", "0x8100 or 0x88a8"],
    [`${ETH} push_vlan(vid=1,pcp=0,cfi=0)`, "action.push_vlan", "cfi must be 1"],
    [`${L3} push_vlan(vid=1,pcp=0)`, "action.push_vlan", "Ethernet header"],
    [`${L3} pop_vlan`, "action.pop_vlan", "Ethernet header"],
    [`${L3} pop_eth`, "action.pop_eth", "Ethernet header"],
    [`${VLAN} pop_eth`, "action.pop_eth", "pop_vlan first"],
    [
      `${ETH} push_eth(src=1:1:1:1:1:1,dst=1:1:1:1:1:1)`,
      "action.push_eth",
      "without an Ethernet header",
    ],
    [
      `${VLAN} push_mpls(label=1,tc=0,ttl=1,bos=1,eth_type=0x8847)`,
      "action.push_mpls",
      "pop_vlan first",
    ],
    [
      `${IPV4} push_mpls(label=1,tc=0,ttl=1,bos=1,eth_type=0x800)`,
      "action.push_mpls",
      "must be 0x8847 or 0x8848",
    ],
    [
      `${ETH},eth_type(0x1234) push_mpls(label=1,tc=0,ttl=1,bos=1,eth_type=0x8847)`,
      "action.push_mpls",
      "matched exactly",
    ],
    [`${IPV4} pop_mpls(eth_type=0x800)`, "action.pop_mpls", "needs eth_type 0x8847"],
    [`${MPLS} pop_mpls(eth_type=0x800),set(ipv4(ttl=1))`, "action.set", "needs eth_type(0x0800)"],
    [`${MPLS} pop_mpls(eth_type=0x6558)`, "action.pop_mpls", "without Ethernet"],
    [`${IPV4} pop_nsh()`, "action.pop_nsh", "needs eth_type 0x894f"],
    [`${ETH},eth_type(0x894f),nsh(mdtype=1) pop_nsh()`, "action.pop_nsh", "from 1 to 5"],
    ["in_port(1),eth_type(0x1234) push_nsh()", "action.push_nsh", "cannot carry ethertype 0x1234"],
    [`${IPV4} push_nsh(mdtype=2)`, "action.push_nsh", "needs c1= to c4=, or md2="],
    [`${IPV4} set(in_port(1))`, "action.set", "cannot write it"],
    [`${IPV4} set(tcp(src=1))`, "action.set", "needs proto 6"],
    [`${IP},ipv4(proto=6/0),tcp(),tcp_flags(0/0) set(tcp(src=1))`, "action.set", "needs proto 6"],
    [`${IPV4} set(ipv6(hlimit=1))`, "action.set", "needs eth_type(0x86dd)"],
    [`${IPV4} set(ipv4(ttl=1,frag=no))`, "action.set", "proto and frag cannot be written"],
    [
      `${UDP} set(ipv4(src=1.1.1.1,dst=1.1.1.1,proto=6,tos=0,ttl=1,frag=no))`,
      "action.set",
      "the key matches 17",
    ],
    [
      `${IPV4} set(mpls(label=1,tc=0,ttl=1,bos=1))`,
      "action.set",
      "needs eth_type(0x8847 or 0x8848)",
    ],
    [`${L3} set(eth(src=1:1:1:1:1:1))`, "action.set", "Ethernet header"],
    [`${ETH} set(tunnel(dst=1.1.1.1))`, "tunnel", "needs ttl="],
    [`${NSH} set(nsh(ttl=63))`, "action.set", "set(nsh(…)): the kernel cannot write it"],
    [`${ETH} set(tunnel(ttl=1))`, "tunnel", "needs dst="],
    [`${ETH} ct`, "action.ct", "needs eth_type 0x0800 or 0x86dd"],
    [`${IPV4} ct(mark=1)`, "action.ct", "needs commit"],
    [`${IPV4} ct(label=1)`, "action.ct", "needs commit"],
    [`${IPV4} ct(nat(src))`, "action.nat", "needs commit"],
    [`${IPV4} ct(commit,nat(src=::1))`, "action.nat", "IPv4 for eth_type 0x0800"],
    [`${IPV6} ct(commit,nat(src=1.1.1.1))`, "action.nat", "IPv6 for eth_type 0x86dd"],
    [`${ETH} check_pkt_len(size=0,gt(1),le(1))`, "action.check_pkt_len", "size=N, from 1"],
    [`${ETH} action21(06 00 01 00 05 00 00 00)`, "action.check_pkt_len", "both gt() and le()"],
    [`${ETH} action6(08 00 01 00 05 00 00 00)`, "action.sample", "needs actions()"],
    [`${ETH} action23()`, "action.dec_ttl", "needs le_1()"],
    [`${ETH} action25(08 00 01 00 01 00 00 00)`, "action.psample", "NLA_F_NESTED"],
    [`${IPV4} ${"clone(".repeat(17)}1${")".repeat(17)}`, "action.depth", "at most 16 deep"],
    [`${ETH} sample(sample=1%,actions(clone(70000)))`, "action.output", "70000"],
  ];
  test.each(cases)("%s", (line, rule, reason) => {
    const refusal = verdict(line);
    expect(refusal?.reason).toContain(reason);
    expect(refusal?.rule).toBe(rule);
  });
});

describe("what a kernel lacks", () => {
  const cases: readonly (readonly [string, Partial<typeof ALL_FEATURES>, string])[] = [
    [`${IPV4} drop(1)`, { actionMax: 23 }, "does not have drop (needs Linux 6.7)"],
    [`${IPV4} psample(group=1)`, { actionMax: 24 }, "does not have psample"],
    [`${IPV4} psample(group=1)`, { psample: false }, "without psample"],
    [`${IPV4} hash(sym_l4(0))`, { hashSymL4: false }, "hash(l4()) only (needs Linux 6.6)"],
    [`${IPV4} ct`, { ct: false }, "without connection tracking"],
    [`${IPV4} ct(zone=1)`, { ctZones: false }, "without conntrack zones"],
    [`${IPV4} ct(commit,mark=1)`, { ctMark: false }, "without conntrack marks"],
    [`${IPV4} ct(commit,label=1)`, { ctLabels: false }, "without conntrack labels"],
    [`${IPV4} ct(timeout=a)`, { ctTimeout: false }, "without conntrack timeout policies"],
    [`${IPV4} ct(nat)`, { nat: false }, "without NAT"],
    [`${TCP} ct(helper=ftp)`, { ctHelpers: new Set(["ftp/17"]) }, "no conntrack helper ftp"],
    [`ct_zone(1),${IPV4} 1`, { ctZones: false }, "without conntrack zones"],
    [`ct_state(+trk),${IPV4} 1`, { ct: false }, "without connection tracking"],
    [
      `${IPV6},key32(00 01/00 01) 1`,
      { keyMax: 31 },
      "this kernel does not have key32() (needs Linux 5.18)",
    ],
  ];
  test.each(cases)("%s", (line, lacks, reason) => {
    expect(verdict(line)).toBeUndefined();
    expect(verdict(line, { ...ALL_FEATURES, ...lacks })?.reason).toContain(reason);
  });

  test("a helper that is there is taken", () => {
    const features = { ...ALL_FEATURES, ctHelpers: new Set(["ftp/6"]) };
    expect(verdict(`${TCP} ct(helper=ftp)`, features)).toBeUndefined();
  });
});

test("the errors carry the rule", () => {
  const refusal = verdict(`${ETH} 65535`);
  if (refusal === undefined) throw new Error("no refusal");
  const refused = new FlowRefusedError(refusal);
  expect([refused.code, refused.rule, refused.message]).toEqual([
    "FLOW_REFUSED",
    "action.output",
    refusal.reason,
  ]);
  const rejected = new FlowRejectedError(refusal.reason, 22, "in_port(1)");
  expect([rejected.code, rejected.reason]).toEqual(["EINVAL", refusal.reason]);
  expect(rejected.message).toBe(`${refusal.reason}: in_port(1)`);
});
