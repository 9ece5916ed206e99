/** Flows and filters in OpenFlow's language, which ovs-ofctl reads: the error says what a datapath has for them. */
import { expect, test } from "bun:test";
import { FlowFilter } from "../../src/flow/filter/filter.ts";
import { Flow } from "../../src/flow/flow.ts";
import { FlowSyntaxError } from "../../src/flow/text/syntax-error.ts";
import { portNamesOf } from "../../src/flow/ports.ts";

function errorOf(run: () => unknown): FlowSyntaxError {
  try {
    run();
  } catch (error) {
    if (error instanceof FlowSyntaxError) return error;
  }
  throw new Error("it was read");
}

const KEY = "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)";

test.each([
  ["priority=100,ip,nw_dst=10.0.0.1 actions=output:2", 1, undefined],
  ["table=0, in_port=1 actions=2", 1, undefined],
  ["cookie=0x0, duration=1.2s, table=0, n_packets=0 actions=NORMAL", 1, undefined],
  ["reg0=1,in_port=1 2", 1, undefined],
  ["ip,nw_dst=10.0.0.1 actions=2", 1, "eth_type(0x0800),ipv4(frag=no)"],
  ["rarp actions=2", 1, "eth_type(0x8035)"],
  ["tcp6 actions=2", 1, "eth_type(0x86dd),ipv6(proto=6,frag=no)"],
  ["nw_dst=10.0.0.1 actions=2", 1, "ipv4(dst=…) or arp(tip=…)"],
  ["ip_src=10.0.0.1 actions=2", 1, "ipv4(src=…) or arp(sip=…)"],
  ["dl_type=0x0800 actions=2", 1, "eth_type(…)"],
  ["in_port=1,dl_type=0x0800 actions=2", 8, "in_port(…)"],
  ["tcp,tp_dst=80 actions=2", 4, "tcp(…)"],
  [`${KEY} output:2`, 49, "2"],
  [`${KEY} actions=output:2`, 49, "2"],
  [`${KEY} 1,output:2`, 51, "2"],
  [`${KEY} NORMAL`, 49, undefined],
  [`${KEY} mod_nw_dst:10.0.0.1`, 49, "set(…)"],
  [`${KEY} resubmit(,1)`, 49, "recirc(1)"],
])("%s", (line, column, suggestion) => {
  for (const ports of [undefined, portNamesOf([{ name: "veth1", number: 1 }])]) {
    const error = errorOf(() => Flow.parse(line, ports === undefined ? {} : { ports }));
    expect([error.column, error.suggestion]).toEqual([column, suggestion]);
    expect(error.message).toContain("this is OpenFlow, the language of ovs-ofctl");
  }
});

test.each([
  ["nw_dst = 10.0.0.1", "ipv4.dst"],
  ["dl_type = 0x0800", "eth_type"],
  ["dl_vlan = 3", "vlan.vid"],
  ["ip", "ipv4"],
  ["tp_dst = 80", "tcp.dst"],
])("the filter %s", (filter, suggestion) => {
  expect(errorOf(() => FlowFilter.parse(filter)).suggestion).toBe(suggestion);
});

test.each([
  ["eth_typ(0x0800) 2", "a key that is known", "eth_type"],
  [`${KEY},actions:2`, "a space before the actions", undefined],
  ["in_port(1), eth(),eth_type(0x0800) 2", "actions: the key ends at its first space", undefined],
  [`${KEY} dpe_x:2`, "actions:, or a flow's statistics", undefined],
  [`${KEY} trnc(20)`, "an action", "trunc"],
])("%s is not OpenFlow", (line, expected, suggestion) => {
  const error = errorOf(() => Flow.parse(line));
  expect([error.expected, error.suggestion]).toEqual([
    expect.stringContaining(expected),
    suggestion,
  ]);
});

test("a port whose name looks like one of OpenFlow's actions is that port", () => {
  const ports = portNamesOf([
    { name: "output=2", number: 7 },
    { name: "normal", number: 8 },
  ]);
  const flow = Flow.parse(`${KEY} output=2,normal`, { ports });
  expect(flow.toString()).toEndWith("actions:7,8");
});
