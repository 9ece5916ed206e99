import { expect, test } from "bun:test";
import { sameActions } from "../../../src/flow/action/same.ts";
import { encodeActions, unhex } from "./support.ts";

function same(one: Uint8Array, other: Uint8Array): boolean {
  return sameActions(one, 0, one.length, other, 0, other.length);
}

test("equal lists are the same, and so are two ways to say one thing", () => {
  expect(same(encodeActions("1,ct(commit)"), encodeActions("1,ct(commit)"))).toBe(true);
  // What a kernel with conntrack zones dumps of ct(commit).
  expect(same(encodeActions("ct(commit)"), unhex("10000c00 04000100 06000200 00000000"))).toBe(
    true,
  );
  // SET of TCP ports, and SET_MASKED with all bits.
  const masked = unhex("10000b00 0c000900 00010002 ffffffff");
  expect(same(encodeActions("set(tcp(src=1,dst=2))"), masked)).toBe(true);
});

test("others are not", () => {
  expect(same(encodeActions("1"), encodeActions("2"))).toBe(false);
  expect(same(encodeActions("1"), encodeActions("1,2"))).toBe(false);
  expect(same(encodeActions("drop"), encodeActions("drop(0)"))).toBe(false);
  expect(same(encodeActions("ct(commit)"), encodeActions("ct(commit,zone=1)"))).toBe(false);
});
