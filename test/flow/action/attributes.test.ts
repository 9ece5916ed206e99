import { expect, test } from "bun:test";
import { attributeLength, nextAttribute } from "../../../src/flow/action/attributes.ts";

test("the next attribute lies behind this one: a length that none has ends the list", () => {
  for (const length of [0, 1, 2, 3]) expect(nextAttribute(8, length, 100)).toBe(100);
  expect(nextAttribute(8, 4, 100)).toBe(12);
  expect(nextAttribute(8, 5, 100)).toBe(16);
  expect(nextAttribute(96, 8, 100)).toBe(100);
});

test("an attribute of a length that none has, or that goes on behind the end, is none", () => {
  const lengthOf = (length: number, end = 16): number =>
    attributeLength(Uint8Array.of(9, 9, length, 0, 1, 0, 7, 7), 2, end);
  expect([0, 1, 2, 3].map((length) => lengthOf(length))).toEqual([0, 0, 0, 0]);
  expect([4, 14, 15].map((length) => lengthOf(length))).toEqual([4, 14, 0]);
  expect([5, 6].map((end) => lengthOf(4, end))).toEqual([0, 4]);
});
