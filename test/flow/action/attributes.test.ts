import { expect, test } from "bun:test";
import { nextAttribute } from "../../../src/flow/action/attributes.ts";

test("the next attribute lies behind this one: a length that none has ends the list", () => {
  for (const length of [0, 1, 2, 3]) expect(nextAttribute(8, length, 100)).toBe(100);
  expect(nextAttribute(8, 4, 100)).toBe(12);
  expect(nextAttribute(8, 5, 100)).toBe(16);
  expect(nextAttribute(96, 8, 100)).toBe(100);
});
