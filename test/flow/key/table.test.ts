import { expect, test } from "bun:test";
import { AssertionError } from "../../../src/sys/errors.ts";
import { HEADER_WORD, METADATA_WORD, SLOT_UNKNOWN, slotAt } from "../../../src/flow/key/levels.ts";
import {
  icmpv6Slots,
  isVlan,
  networkSlots,
  transportSlots,
} from "../../../src/flow/key/required-headers.ts";
import { SLOT_IPV4, SLOT_IPV6 } from "../../../src/flow/key/slots.ts";
import { KEYS, keyNamed } from "../../../src/flow/key/table.ts";

/** The keys with a bit in a word of headers. */
function names(slots: number): string {
  const found = KEYS.filter(
    ({ slot }) => slot >>> 5 === HEADER_WORD && ((slots >>> slot) & 1) === 1,
  );
  return found.map(({ name }) => name).join();
}

test("there is room for more keys, and an end of it", () => {
  const metadata = KEYS.filter(({ layer }) => layer === "metadata").length;
  expect(slotAt(METADATA_WORD, metadata)).toBeLessThan(32);
  expect(slotAt(HEADER_WORD, KEYS.length - metadata)).toBeLessThan(SLOT_UNKNOWN);
  expect(() => slotAt(METADATA_WORD, 32)).toThrow(AssertionError);
  expect(() => slotAt(HEADER_WORD, 31)).toThrow(AssertionError);
});

test("each key has a name, a type and a slot of its own", () => {
  for (const of of ["name", "type", "slot"] as const)
    expect(new Set(KEYS.map((key) => key[of])).size).toBe(KEYS.length);
  expect(() => keyNamed("ipv5")).toThrow("no key is called ipv5");
});

test("what is required is asked for by something", () => {
  for (const { asksFor, required, guarded } of KEYS)
    if (required || guarded) expect(asksFor).toBeDefined();
  expect(
    [0x0800, 0x0806, 0x8035, 0x8848, 0x86dd, 0x894f, 0x8100, 0x1234].map(networkSlots).map(names),
  ).toEqual(["ipv4", "arp", "arp", "mpls", "ipv6", "nsh", "", ""]);
  expect([0x8100, 0x88a8, 0x0800].map(isVlan)).toEqual([true, true, false]);
  const over = (network: number): string[] =>
    [1, 6, 17, 58, 132, 47].map((proto) => names(transportSlots(network, proto)));
  expect(over(SLOT_IPV4)).toEqual(["icmp", "tcp,tcp_flags", "udp", "", "sctp", ""]);
  expect(over(SLOT_IPV6)).toEqual(["", "tcp,tcp_flags", "udp", "icmpv6", "sctp", ""]);
  expect([134, 135, 136, 137].map(icmpv6Slots).map(names)).toEqual(["", "nd", "nd", ""]);
});
