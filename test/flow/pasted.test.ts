import { expect, test } from "bun:test";
import { FlowLineEncoder, type FlowLineOptions } from "../../src/flow/line.ts";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { NO_NOTES } from "../../src/format/feed.ts";
import { bytesSource } from "../../src/format/source.ts";
import { TextFeed } from "../../src/format/text-feed.ts";
import { loadSync } from "../../src/load/load.ts";
import { Account } from "../../src/load/account.ts";
import { DryRun } from "../../src/load/dry-run.ts";
import { encoder as utf8, syntaxError } from "./harness.ts";

const memory = new PinnedMemory(1 << 16);
const writer = new AttributeWriter(memory);

function hexOf(text: string, encoder: FlowLineEncoder): string {
  const bytes = utf8.encode(text);
  writer.reset(0, memory.size);
  if (!encoder.encode(bytes, 0, bytes.length, 1, writer)) return "none";
  return memory.u8.subarray(0, writer.position).toHex();
}

function bytesOf(text: string, options: FlowLineOptions = { ufid: true }): string {
  return hexOf(text, new FlowLineEncoder(options));
}

const ETH = "in_port(1),eth()";

test.each([
  [`${ETH},eth_type(0x0806)`, `${ETH},eth_type(0x0806),arp()`],
  [`${ETH},eth_type(0x0800)`, `${ETH},eth_type(0x0800),ipv4()`],
  [`${ETH},eth_type(0x8847)`, `${ETH},eth_type(0x8847),mpls()`],
  [
    `${ETH},eth_type(0x0800),ipv4(proto=6,frag=no)`,
    `${ETH},eth_type(0x0800),ipv4(proto=6,frag=no),tcp(),tcp_flags(0/0)`,
  ],
  [
    `${ETH},eth_type(0x8100),vlan(vid=5),encap(eth_type(0x0800),ipv4(proto=6))`,
    `${ETH},eth_type(0x8100),vlan(vid=5),encap(eth_type(0x0800),ipv4(proto=6),tcp(),tcp_flags(0/0))`,
  ],
  [
    `${ETH},eth_type(0x86dd),ipv6(proto=58),icmpv6(type=136)`,
    `${ETH},eth_type(0x86dd),ipv6(proto=58),icmpv6(type=136),nd()`,
  ],
  [`tunnel(src=1.1.1.1),${ETH}`, `tunnel(src=1.1.1.1,dst=0.0.0.0/0,ttl=0/0),${ETH}`],
  [`tunnel(ipv6_src=::1),${ETH}`, `tunnel(ipv6_src=::1,ipv6_dst=::/0,ttl=0/0),${ETH}`],
  ["in_port(1)", "in_port(1),eth_type(0/0)"],
])("a dump's %s is completed to %s", (missing, whole) => {
  const encoder = new FlowLineEncoder({ ufid: true, shapes: false });
  for (const between of [", packets:1, bytes:2, used:never, actions:", ", actions:"]) {
    expect(hexOf(`${missing}${between}2`, encoder)).toBe(bytesOf(`${whole} 2`));
    expect(encoder.completed).toBe(true);
    expect(hexOf(`${whole}${between}2`, encoder)).toBe(bytesOf(`${whole} 2`));
    expect(encoder.completed).toBe(false);
  }
  // Without the signs of a dump nothing is added.
  expect(hexOf(`${missing} 2`, encoder)).not.toBe(bytesOf(`${whole} 2`));
  expect(encoder.completed).toBe(false);
});

test("a protocol that calls for nothing, and a later fragment, are complete", () => {
  const encoder = new FlowLineEncoder({ ufid: true });
  for (const ip of ["ipv4(proto=47,frag=no)", "ipv4(proto=6,frag=later)", "ipv4()"]) {
    hexOf(`${ETH},eth_type(0x0800),${ip}, packets:1, actions:2`, encoder);
    expect(encoder.completed).toBe(false);
  }
});

test("what a report says of pasted lines", () => {
  const lines = [
    "flow-dump from pmd on cpu core: 3",
    `${ETH},eth_type(0x0806), packets:1, bytes:2, used:never, dpe_packets:0, dpe_bytes:0, actions:2`,
    `${ETH},eth_type(0x0806),arp(), packets:1, bytes:2, used:never, dpe_packets:7, dpe_bytes:0, actions:3`,
    "flow-dump from the main thread:",
    `${ETH},eth_type(0x0806), packets:5, bytes:2, used:never, actions:4`,
    `${ETH},eth_type(0x0806), packets:5, bytes:2, used:never, actions:5`,
  ];
  const source = bytesSource("pasted", utf8.encode(`${lines.join("\n")}\n`));
  const report = loadSync(new TextFeed(source, { ufid: true }), new DryRun(new Account()));
  expect(report).toMatchObject({
    encoded: 4,
    refused: 0,
    lines: 6,
    completed: 3,
    passedOver: { headers: 2, members: ["dpe_packets", "dpe_bytes"] },
  });
  const plain = bytesSource("plain", utf8.encode(`${ETH} 2\n`));
  expect(loadSync(new TextFeed(plain, { ufid: true }), new DryRun(new Account()))).toMatchObject(
    NO_NOTES,
  );
});

test("a member that no kernel has is an error where it is misspelt, or no actions follow", () => {
  expect(syntaxError(() => bytesOf(`${ETH}, pakets:1, actions:2`)).suggestion).toBe("packets");
  const error = syntaxError(() => bytesOf(`${ETH}, dpe_packets:1, packets:1`));
  expect([error.found, error.column]).toEqual(['"dpe_packets"', 19]);
});

test("a byte order mark between joined files is named", () => {
  expect(syntaxError(() => bytesOf(`\ufeff${ETH} 2`)).found).toStartWith("a byte order mark");
});

test("bytes of a dump without leading zeros get them back", () => {
  const nsh = (md2: string): string => `${ETH} push_nsh(mdtype=2,md2=${md2})`;
  const dump = (md2: string): string => `${ETH}, actions:push_nsh(mdtype=2,md2=${md2})`;
  // Half a byte says so by itself; in a dump, so do three bytes. Elsewhere they are as OVS reads them.
  expect(bytesOf(nsh("0x8ff73ff"))).toBe(bytesOf(nsh("0x08ff73ff")));
  expect(bytesOf(dump("0x8ff73ff"))).toBe(bytesOf(nsh("0x08ff73ff")));
  expect(bytesOf(dump("0xf73ff1"))).toBe(bytesOf(nsh("0x00f73ff1")));
  expect(bytesOf(dump("0x0"))).toBe(bytesOf(nsh("0x00000000")));
  expect(bytesOf(nsh("0xf73ff1"))).toBe(bytesOf(nsh("0xf73ff100")));
});
