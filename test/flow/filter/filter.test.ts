import { describe, expect, test } from "bun:test";
import { Flow } from "../../../src/flow/flow.ts";
import { FlowFilter } from "../../../src/flow/filter/filter.ts";
import type { FlowParts } from "../../../src/flow/parts.ts";
import { portNamesOf } from "../../../src/flow/ports.ts";
import { FlowSyntaxError } from "../../../src/flow/text/syntax-error.ts";
import { flowOf } from "../dumped-flow.ts";
import { syntaxError } from "../harness.ts";

const PORTS = portNamesOf([
  { name: "eth0", number: 1 },
  { name: "veth1.100", number: 2 },
]);

const HTTPS = flowOf(
  "in_port(1),eth(),eth_type(0x0800),ipv4(dst=10.1.2.0/24,proto=6,ttl=64/0xc0,frag=no)," +
    "tcp(src=0/0,dst=443),tcp_flags(+syn-ack),ct_state(+trk+est) ct(commit),recirc(1)",
  { packets: 150, byteCount: 9000, usedMs: 1000 },
);
const DNS = flowOf(
  "in_port(2),eth(),eth_type(0x86dd),ipv6(src=fe80::/16,proto=17,frag=no),udp(dst=53) " +
    "sample(sample=50%,actions(clone(2),set(eth(dst=00:00:00:00:00:01)))),1",
);
const ARP = flowOf("in_port(2),eth(src=00:11:22:33:44:55),eth_type(0x0806),arp(op=1) drop");
const TAGGED = flowOf(
  "in_port(1),eth(),eth_type(0x8100),vlan(vid=7,pcp=3)," +
    "encap(eth_type(0x0800),ipv4(dst=10.9.9.9,frag=no)) pop_vlan,2",
);
const TUNNELLED = flowOf(
  "tunnel(tun_id=0x7,src=1.2.3.4,dst=5.6.7.8,ttl=64,vxlan(gbp(id=9,flags=0)),flags(df|key)),in_port(3)," +
    "eth(),eth_type(0x8847),mpls(label=100,tc=3,ttl=64,bos=1) 1",
);
const ANY = flowOf("eth() 1");
const ALL: Readonly<Record<string, FlowParts>> = { HTTPS, DNS, ARP, TAGGED, TUNNELLED, ANY };

/** Which of the flows a filter means; 61 seconds after the clock of their stamps began. */
function meant(filter: string): string[] {
  const parsed = FlowFilter.parse(filter, { ports: PORTS });
  return Object.keys(ALL).filter((name) => parsed.passes(ALL[name] ?? ANY, 61_000));
}

describe("a filter means the flows", () => {
  test.each([
    // A value with exactly the given mask.
    ["tcp.dst = 443", ["HTTPS"]],
    ["tcp.dst = 443/0xffff", ["HTTPS"]],
    ["tcp.dst = 443/0xff", []],
    ["ipv4.dst = 10.1.2.0/24", ["HTTPS"]],
    ["ipv4.dst = 10.1.2.77/24", ["HTTPS"]],
    ["ipv4.dst = 10.1.2.0", []],
    ["ipv4.ttl = 64/0xc0", ["HTTPS"]],
    ["tcp_flags = +syn-ack", ["HTTPS"]],
    ["tcp_flags = +syn", []],
    ["ct_state = +est+trk", ["HTTPS"]],
    ["ipv4.frag = no", ["HTTPS", "TAGGED"]],
    ["eth.src = 0:11:22:33:44:55", ["ARP"]],
    // All packets.
    ["ipv4.dst in 10.0.0.0/8", ["HTTPS", "TAGGED"]],
    ["ipv4.dst in 10.1.2.0/25", []],
    ["ct_state in +est", ["HTTPS"]],
    ["ct_state in -est", []],
    ["ipv6.src in fe80::/10", ["DNS"]],
    // Some packets: unmatched bits may be anything, but not another header.
    ["ipv4.dst meets 10.1.2.3", ["HTTPS", "ANY"]],
    ["ipv4.dst meets 0.0.0.0/0", ["HTTPS", "TAGGED", "ANY"]],
    ["tcp.dst meets 443", ["HTTPS", "TAGGED", "ANY"]],
    ["tcp.dst meets 80", ["TAGGED", "ANY"]],
    ["udp.dst meets 53", ["DNS", "TAGGED", "ANY"]],
    ["arp.op meets 2", ["ANY"]],
    ["nd.target meets ::1", ["ANY"]],
    ["vlan.vid meets 7", ["TAGGED"]],
    ["encap.ipv4.dst meets 10.9.9.9", ["TAGGED"]],
    ["encap.encap.ipv4.dst meets 10.9.9.9", []],
    ["in_port meets 3", ["TUNNELLED", "ANY"]],
    ["skb_mark meets 3", Object.keys(ALL)],
    ["tunnel.tun_id meets 8", ["HTTPS", "DNS", "ARP", "TAGGED", "ANY"]],
    ["tunnel.ipv6_src meets ::1", ["HTTPS", "DNS", "ARP", "TAGGED", "ANY"]],
    ["tunnel.tp_src meets 1", Object.keys(ALL)],
    // An order.
    ["tcp.dst > 442 and tcp.dst < 444", ["HTTPS"]],
    ["tcp.dst >= 443 and tcp.dst <= 443", ["HTTPS"]],
    ["tcp.dst != 80", ["HTTPS"]],
    ["tcp.src != 80", []],
    ["ipv4.dst >= 10.9.0.0", ["TAGGED"]],
    ["eth.src > 00:11:22:33:44:54", ["ARP"]],
    ["tunnel.tun_id <= 7", ["TUNNELLED"]],
    ["in_port != eth0", ["DNS", "ARP", "TUNNELLED"]],
    // A field, or a header.
    ["tcp", ["HTTPS"]],
    ["ipv4", ["HTTPS", "TAGGED"]],
    ["tcp.src", []],
    ["tcp.dst", ["HTTPS"]],
    ["vlan", ["TAGGED"]],
    ["encap", ["TAGGED"]],
    ["encap.ipv4", ["TAGGED"]],
    ["encap.encap", []],
    ["tunnel", ["TUNNELLED"]],
    ["tunnel.vxlan", ["TUNNELLED"]],
    ["tunnel.geneve", []],
    ["ct_state", ["HTTPS"]],
    // The first level that has it.
    ["eth_type = 0x8100", ["TAGGED"]],
    ["eth_type = 0x0800", ["HTTPS"]],
    ["encap.eth_type = 0x0800", ["TAGGED"]],
    ["vlan.vid = 7 and vlan.pcp = 3", ["TAGGED"]],
    ["tunnel.tun_id = 7 and tunnel.flags in +df", ["TUNNELLED"]],
    ["tunnel.vxlan.gbp.id = 9", ["TUNNELLED"]],
    ["tunnel.erspan.idx = 9", []],
    ["mpls.label = 100 and mpls.bos = 1", ["TUNNELLED"]],
    // Ports by name.
    ["in_port = eth0", ["HTTPS", "TAGGED"]],
    ["in_port = veth1.100", ["DNS", "ARP"]],
    ["output = veth1.100", ["DNS", "TAGGED"]],
    ["output=2 and in_port=1", ["TAGGED"]],
    // Actions, within others too.
    ["actions has ct", ["HTTPS"]],
    ["actions has clone", ["DNS"]],
    ["actions has set", ["DNS"]],
    ["actions has drop", ["ARP"]],
    ["actions has output", ["DNS", "TAGGED", "TUNNELLED", "ANY"]],
    // Counters.
    ["packets > 149", ["HTTPS"]],
    ["packets >= 151", []],
    ["bytes = 9000", ["HTTPS"]],
    ["used > 59.999", ["HTTPS"]],
    ["used > 60s", []],
    ["used = 60", ["HTTPS"]],
    ["used != never", ["HTTPS"]],
    ["used = never and tcp", []],
    // Without a packet there is no time.
    ["used >= 0 or used < 0", ["HTTPS"]],
    ["ufid", Object.keys(ALL)],
    ["not ufid", []],
    // Blanks and parentheses.
    ["(((tcp.dst=443)))", ["HTTPS"]],
    ["  not(tcp)and(ipv4)  ", ["TAGGED"]],
    ["not not tcp", ["HTTPS"]],
    ["tcp or udp and in_port = 1", ["HTTPS"]],
    ["(tcp or udp) and in_port = 2", ["DNS"]],
    ["key32 = 00 00 or tcp", ["HTTPS"]],
  ])("%s", (filter, names) => {
    expect(meant(filter)).toEqual(names);
  });
});

test.each([
  // Packets without a tunnel id, later fragments without ports.
  ["tunnel(dst=1.2.3.4,ttl=64,flags(-key)),eth()", "tunnel.tun_id meets 7", false],
  ["tunnel(dst=1.2.3.4,ttl=64,flags(+df)),eth()", "tunnel.tun_id meets 7", true],
  ["eth(),eth_type(0x0800),ipv4(proto=6,frag=later)", "tcp.dst meets 80", false],
  ["eth(),eth_type(0x0800),ipv4(frag=first)", "tcp.dst meets 80", true],
  ["eth(),eth_type(0x0800),ipv4(proto=4/4,frag=no)", "tcp.dst meets 80", true],
  ["eth(),eth_type(0x0800),ipv4(proto=8/8,frag=no)", "tcp.dst meets 80", false],
  ["eth(),eth_type(0x86dd),ipv6(proto=58,frag=no),icmpv6()", "nd.target meets ::1", true],
  ["eth(),eth_type(0x86dd),ipv6(proto=58,frag=no),icmpv6(type=128)", "nd.target meets ::1", false],
  ["eth(),eth_type(0x86dd),ipv6(frag=no)", "icmp.type meets 8", false],
  ["eth_type(0x0800),ipv4()", "eth.src meets 00:00:00:00:00:01", false],
  // The first byte of labels is the least one.
  ["eth(),ct_label(0x100)", "ct_label > 0xff", true],
  ["eth(),ct_label(0x1000000000000000000)", "ct_label > 0xff", true],
  ["eth(),ct_label(0x100)", "ct_label < 0x2", false],
  [
    "tunnel(dst=1.2.3.4,ttl=64,erspan(ver=2,dir=1,hwid=0x7),flags()),eth()",
    "tunnel.erspan.dir = 1",
    true,
  ],
  [
    "tunnel(dst=1.2.3.4,ttl=64,erspan(ver=2,dir=1,hwid=0x7),flags()),eth()",
    "tunnel.erspan.idx",
    false,
  ],
  [
    "tunnel(dst=1.2.3.4,ttl=64,erspan(ver=2,dir=1,hwid=0x7),flags()),eth()",
    "tunnel.erspan.idx meets 0",
    false,
  ],
])("%s: %s is %p", (key, filter, wanted) => {
  expect(FlowFilter.parse(filter).passes(flowOf(`${key} 1`))).toBe(wanted);
});

test("a flow is named by its UFID", () => {
  for (const [name, flow] of Object.entries(ALL)) {
    const ufid = Flow.fromParts(flow).ufid ?? "";
    expect(meant(`ufid = ${ufid}`)).toEqual([name]);
    expect(meant(`ufid = ufid:${ufid}`)).toEqual([name]);
    expect(meant(`ufid != ${ufid}`)).toEqual(Object.keys(ALL).filter((other) => other !== name));
  }
  const nameless = { ...HTTPS, ufid: { start: -1, end: -1 } };
  const wanted = FlowFilter.parse(`ufid = ${Flow.fromParts(HTTPS).ufid}`);
  expect(wanted.passes(nameless)).toBe(false);
  expect(FlowFilter.parse("not ufid").passes(nameless)).toBe(true);
});

test("a flow is its owner's", () => {
  const text = "in_port(1),eth(),eth_type(0x0806),arp() 1";
  const of = (owner: string): Flow => Flow.parse(text, { owner });
  const given = Flow.parse(`ufid:00000000-0000-0000-0000-000000000001, ${text}`);
  for (const [filter, wanted] of [
    ["owner = lb", [false, true, false, false]],
    ["owner = fw", [false, false, true, false]],
    ['owner = ""', [true, false, false, false]],
    ["owner != lb and (arp)", [true, false, true, true]],
  ] as const) {
    const parsed = FlowFilter.parse(filter);
    const flows = [of(""), of("lb"), of("fw"), given];
    expect([filter, flows.map((flow) => parsed.matches(flow))]).toEqual([filter, [...wanted]]);
  }
});

test("what a filter is not, it says with a place", () => {
  for (const [filter, column, reason] of [
    ["", 1, "a condition such as tcp.dst = 443"],
    ["tcp and", 8, "a condition such as tcp.dst = 443"],
    ["ipv44.dst in 10.0.0.0/8", 1, 'did you mean "ipv4.dst"?'],
    ["tcp.dst = 443 and pakets > 3", 19, 'did you mean "packets"?'],
    ["packet_type.ns = 0", 1, "a field such as ipv4.dst"],
    ["encap.tunnel.src = 1.2.3.4", 1, "a field such as ipv4.dst"],
    ["encap.encap.encap.tcp", 1, "a field such as ipv4.dst"],
    ["tcp = 443", 5, "tcp without a value, or one of tcp.src, tcp.dst"],
    ["tcp.dst == 443", 9, "a single ="],
    ["tcp.dst = 65536", 11, "a number from 0 to 65535"],
    ["tcp.dst = 443x", 14, '"and", "or" or the end'],
    ["tcp.dst = 443 tcp", 15, '"and", "or" or the end'],
    ["(tcp.dst = 443", 15, '"and", "or" or a closing )'],
    ["(tcp.dst = 443x)", 15, '"and", "or" or a closing )'],
    ["tcp.dst = 443)", 14, '"and", "or" or the end'],
    ["(ct_state = )", 13, "a value"],
    ["tcp.dst =", 10, "a value"],
    ["tcp.dst > 443/0xff", 11, "a value without a mask after >"],
    ["ct_state > 1", 10, "values of ct_state have no order"],
    ["ipv4.dst in 10.0.0.0/33", 22, "a prefix of 0 to 32"],
    ["in_port = eth9", 11, "the name of a port of the datapath"],
    ["output > 3", 8, "= and a port"],
    ["actions = ct", 9, '"has" and the name of an action'],
    ["actions has cy", 13, 'did you mean "ct"?'],
    ["packets", 8, "one of =, !=, <, <=, > and >="],
    ["packets > -1", 11, "a whole number"],
    ["used > soon", 8, "seconds, such as 0.5, or never"],
    ["used > never", 6, "= or != before never"],
    ["used > 1.", 10, "decimals of a second"],
    ["ufid > 3", 6, "= or != and a UFID"],
    ["ufid = 3", 8, "a UUID such as"],
    ["owner has lb", 7, "= or != and an owner's name"],
    ["owner = ", 9, "an owner's name"],
    [`${"(".repeat(33)}tcp`, 34, "no more than 32 levels of parentheses"],
  ] as const) {
    const error = syntaxError(() => FlowFilter.parse(filter, { ports: PORTS }));
    expect(error).toBeInstanceOf(FlowSyntaxError);
    expect([filter, error.column]).toEqual([filter, column]);
    expect(error.reason).toContain(reason);
  }
  const error = syntaxError(() => FlowFilter.parse("tcp and ipv4.dst in 10.0.0.0/33"));
  expect(error.caret().split("\n")).toEqual([
    "tcp and ipv4.dst in 10.0.0.0/33",
    `${" ".repeat(29)}^`,
  ]);
});

test("it is asked of a Flow, too, and keeps its text", () => {
  const filter = FlowFilter.parse("ipv4.dst in 10.0.0.0/8");
  expect(filter.matches(Flow.fromParts(HTTPS))).toBe(true);
  expect(filter.matches(Flow.parse("in_port(1),eth(),eth_type(0x0806),arp() 1"))).toBe(false);
  expect(filter.toString()).toBe("ipv4.dst in 10.0.0.0/8");
});

test("it knows what it asks about", () => {
  const needs = (text: string): string =>
    Object.entries(FlowFilter.parse(text).needs)
      .filter(([, is]) => is)
      .map(([name]) => name)
      .join(" ");
  expect(needs("tcp")).toBe("match");
  expect(needs("ufid")).toBe("");
  expect(needs("actions has ct or output = 1")).toBe("actions");
  expect(needs("packets > 1 and bytes > 1")).toBe("counters");
  expect(needs("used > 1")).toBe("counters clock");
});

test("a flow whose key cannot be read is an error, where it is asked for", () => {
  const broken = { ...HTTPS, key: { start: HTTPS.key.start, end: HTTPS.key.start + 3 } };
  expect(() => FlowFilter.parse("tcp").passes(broken)).toThrow("cannot be read");
  expect(FlowFilter.parse("packets > 3").passes(broken)).toBe(true);
  expect(FlowFilter.parse("packets < 3 and tcp").passes(broken)).toBe(false);
});
