/** What a flow of the kernel in memory matches, beside the bytes that Linux 6.1 dumps for the same request. */
import { expect, test } from "bun:test";
import { UML_FEATURES } from "../../src/testing/family.ts";
import { hasZeroType, newFlow, readExactKey } from "../../src/testing/flow-match.ts";
import { FlowTable } from "../../src/testing/flow-table.ts";

/** tunnel(src=1.1.1.1,dst=2.2.2.2,ttl=64),eth(),eth_type(0x0800),ipv4(src=192.168.0.0,dst=192.168.0.0). */
const KEY =
  "1c00100008000100010101010800020002020202050004004000000010000400000000000000000000000000060006000800" +
  "000010000700c0a80000c0a8000000000000";
const MASK =
  "1c00100008000100ffffffff08000200ffffffff05000400ff00000010000400ffffffffffffffffffffffff06000600ffff" +
  "000010000700ffffffffffffffffffffffff";
/** in_port(1) */
const PORT = "0800030001000000";
const PORT_MASK = "08000300ffffffff";

test("without a mask a tunnel is matched whole, and of its flags those that its key has", () => {
  const made = newFlow(Uint8Array.fromHex(KEY), undefined, undefined, UML_FEATURES);
  expect(made?.maskBytes.toHex()).toBe(
    "0800140000000000080013000000000008000200000000003400100008000100ffffffff08000200ffffffff0500" +
      "0300ff00000005000400ff00000006000900ffff000006000a00ffff0000080003000000ffff08000f0000000000" +
      "08001600000000000800180000000000140019000000000000000000000000000000000010000400ffffffffffff" +
      "ffffffffffff06000600ffff000010000700ffffffffffffffffffffffff",
  );
});

test("which attributes of a tunnel were given is no part of what a key is compared by", () => {
  const key = Uint8Array.fromHex(KEY + PORT);
  const exact = readExactKey(key);
  const ufid = new Uint8Array(16).fill(7);
  const made = newFlow(key, Uint8Array.fromHex(MASK + PORT_MASK), ufid, UML_FEATURES);
  if (exact === undefined || made === undefined) throw new Error("a kernel takes this flow");
  const table = new FlowTable();
  expect(table.isSame(table.insert(made, new Uint8Array(0)), exact)).toBe(true);
});

test("an Ethernet type of zero is none that a kernel takes, in a tag neither", () => {
  const zero = "0600060000000000";
  const some = "0600060008000000";
  const tagged = (inside: string): string => `060006008100000006000500100100000c000100${inside}`;
  for (const [hex, isZero] of [
    [zero, true],
    [some, false],
    [tagged(zero), true],
    [tagged(some), false],
  ] as const) {
    expect(hasZeroType(Uint8Array.fromHex(hex))).toBe(isZero);
  }
});
