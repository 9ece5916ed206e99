/** The set of the identities that a dump has brought. */
import { expect, test } from "bun:test";
import { IdentitySet } from "../../src/flow/identity-set.ts";

function identity(number: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(12, number);
  return bytes;
}

test.each([0, 10, 20_000, 100_000])("with room for %d, each of 20,000 is new once", (expected) => {
  const set = new IdentitySet(expected);
  for (let i = 0; i < 20_000; i++) expect(set.add(identity(i), 0, 16)).toBe(true);
  for (let i = 0; i < 20_000; i++) expect(set.add(identity(i), 0, 16)).toBe(false);
  expect(set.size).toBe(20_000);
});

test("identities of zeros differ by their length", () => {
  const set = new IdentitySet();
  const zeros = new Uint8Array(64);
  for (let length = 4; length <= 64; length += 4) expect(set.add(zeros, 0, length)).toBe(true);
  expect(set.add(zeros, 0, 8)).toBe(false);
});
