import { expect, test } from "bun:test";
import { FlowFilter } from "../../src/cli/dpctl/filter.ts";
import { readMatch } from "../../src/flow/parts.ts";
import { Flow } from "../../src/flow/flow.ts";
import { KeyRecord } from "../../src/flow/key/record.ts";
import { portNamesOf } from "../../src/flow/ports.ts";

const PORTS = portNamesOf([{ number: 7, name: "eth7" }]);

function passes(filter: string, key: string): boolean {
  const record = new KeyRecord();
  expect(readMatch(Flow.parse(`${key} 1`).parts, record)).toBe(true);
  return new FlowFilter(filter, PORTS).passes(record);
}

const TAGGED =
  "in_port(7),eth(),eth_type(0x8100),vlan(vid=9,pcp=1),encap(eth_type(0x0800),ipv4(tos=4/0xfc,frag=no))";
const PLAIN = "in_port(65534),eth(),eth_type(0x0806),arp()";
const TUNNEL = "tunnel(tun_id=1,dst=1.1.1.1,ttl=64,flags(oam),vxlan(gbp(id=5))),in_port(1),eth()";
const NSH = "in_port(1),eth(),eth_type(0x894f),nsh(ttl=3,spi=4)";

// As ovs-dpctl 3.1 answers: a flow passes that does not look at the field.
test.each([
  ["vlan_tci=0x3009", TAGGED, true],
  ["vlan_tci=0x1009", TAGGED, false],
  ["vlan_tci=9", TAGGED, false],
  ["vlan_tci=0", TAGGED, false],
  ["vlan_tci=0", PLAIN, true],
  ["vlan_tci=0x1000", PLAIN, false],
  ["vlan_vid=0x1009", TAGGED, true],
  ["vlan_vid=9", TAGGED, false],
  ["dl_vlan=9", TAGGED, true],
  ["dl_vlan=9", PLAIN, false],
  ["dl_vlan=0xffff", TAGGED, false],
  ["dl_vlan=0xffff", PLAIN, true],
  ["ip,ip_dscp=1", TAGGED, true],
  ["ip,ip_dscp=2", TAGGED, false],
  ["in_port=LOCAL", PLAIN, true],
  ["in_port=local", TAGGED, false],
  ["in_port=eth7", TAGGED, true],
  ["tun_flags=oam", TUNNEL, true],
  ["tun_flags=1", TUNNEL, true],
  ["tun_flags=0", TUNNEL, false],
  ["tun_flags=oam", PLAIN, true],
  ["tun_gbp_id=5", TUNNEL, true],
  ["tun_gbp_id=6", TUNNEL, false],
  ["tun_erspan_idx=3", PLAIN, true],
  ["dl_type=0x894f,nsh_spi=4", NSH, true],
  ["dl_type=0x894f,nsh_ttl=4", NSH, false],
])("%s, %s: %p", (filter, key, expected) => {
  expect(passes(filter, key)).toBe(expected);
});

test.each([
  ["nsh_ttl=3", "prerequisites not met for setting nsh_ttl"],
  ["ip_dscp=1", "prerequisites not met for setting ip_dscp"],
  ["vlan_tci=70000", "bad value for vlan_tci"],
  ["metadata=0", "unknown field metadata"],
])("%s: %s", (filter, message) => {
  expect(() => new FlowFilter(filter, PORTS)).toThrow(message);
});
