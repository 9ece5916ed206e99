import { describe, expect, test } from "bun:test";
import { placeOf } from "../../../src/flow/rules/place.ts";
import { verdict } from "./support.ts";

const ETH = "in_port(1),eth()";
const TAG = `${ETH},eth_type(0x8100),vlan(vid=5,pcp=1)`;

/** The line from the first byte that breaks a rule. */
function placed(line: string, text = line): string | undefined {
  const refusal = verdict(text);
  expect(refusal).toBeDefined();
  const at = refusal?.at && placeOf(refusal.at, new TextEncoder().encode(line));
  return at === undefined ? undefined : line.slice(at);
}

describe("what breaks a rule is found in its line", () => {
  const cases: readonly (readonly [line: string, at: string | undefined])[] = [
    // Nothing in the text is wrong.
    ["in_port(1) 2", undefined],
    [`${ETH},eth_type(0x0800) 2`, "eth_type(0x0800)"],
    [`${ETH},eth_type(0x0800),ipv4(src=1.1.1.1,proto=17) 2`, "proto=17"],
    // The protocol of the header, not of the tuple before it.
    [`ct_tuple4(proto=6),${ETH},eth_type(0x0800),ipv4(proto=17) 2`, "proto=17"],
    [`${ETH},eth_type(0x0800),ipv4(proto=6),tcp() 2`, "tcp()"],
    [`${ETH},eth_type(0x86dd),ipv6(proto=58),icmpv6(code=0,type=136) 2`, "type=136"],
    [`ct_tuple6(src=::1),${ETH},eth_type(0x0800),ipv4() 2`, "ct_tuple6("],
    [`${ETH},eth_type(0x0800),ipv4(),udp(src=1) 2`, "udp("],
    // The type within the tag, not the tag's own.
    [`${TAG},encap(eth_type(0x0800)) 2`, "eth_type(0x0800)"],
    [`${TAG},encap(eth_type(0x0800),ipv4(ttl=1,proto=17)) 2`, "proto=17"],
    [`${TAG},encap(in_port(1),eth_type(0x0800),ipv4()) 2`, "in_port(1),eth_type"],
    [`${TAG.replace("pcp=1", "pcp=1,cfi=0")},encap(eth_type(0x1234)) 2`, "cfi=0"],
    [`${ETH},eth_type(0x8100) 2`, "eth_type(0x8100)"],
    [`key99(00),${ETH} 2`, "key99(00)"],
    [`tunnel(tun_id=1,dst=1.1.1.1),${ETH} 2`, "tunnel("],
    [`${ETH} set(eth(dst=1:1:1:1:1:1)),set(in_port(2)),1`, "set(in_port"],
    [`${ETH} sample(sample=1%,actions(2)),sample(sample=1%,actions(2,trunc(3)))`, "trunc(3)"],
    [`${ETH} check_pkt_len(size=9,gt(trunc(20)),le(1,action99()))`, "action99()"],
  ];
  test.each(cases)("%s", (line, at) => {
    if (at === undefined) expect(placed(line)).toBeUndefined();
    else expect(placed(line)).toStartWith(at);
  });
});

test("and in a line of JSON", () => {
  const text = `${TAG},encap(eth_type(0x0800),ipv4(proto=17)) 2`;
  const inside = '{"eth_type":"0x0800","ipv4":{"ttl":1,"proto":17}}';
  expect(placed(`{"key":{"eth_type":"0x8100","encap":${inside}}}`, text)).toStartWith("17}");
  // At the header if the field is missing.
  expect(placed('{"key":{"encap":{"ipv4":{}}}}', text)).toStartWith("{}}");
});
