import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { LoadOrder } from "../../src/flow/load-order.ts";
import type { FlowParts } from "../../src/flow/parts.ts";
import { flowOf } from "./dumped-flow.ts";
import { PROPERTY } from "./harness.ts";

/** The matched value of each field; zero where the mask is. */
type Match = { readonly key: readonly number[]; readonly mask: readonly number[] };

const LAST_BITS = [0, 1, 2, 3] as const;

/** A match of a few bits of three fields, so that many overlap. */
const match: fc.Arbitrary<Match> = fc
  .tuple(
    fc.array(fc.constantFrom(...LAST_BITS), { minLength: 3, maxLength: 3 }),
    fc.array(fc.constantFrom(...LAST_BITS), { minLength: 3, maxLength: 3 }),
  )
  .map(([key, mask]) => ({ key: key.map((value, i) => value & (mask[i] ?? 0)), mask }));

/**
 * A model of the kernel's datapath: a flow whose masked key an existing flow matches is refused.
 */
function takenOf(matches: readonly Match[]): Match[] {
  const held: Match[] = [];
  for (const one of matches) {
    const isOf = ({ key, mask }: Match): boolean =>
      key.every((value, i) => ((one.key[i] ?? 0) & (mask[i] ?? 0)) === value);
    if (!held.some(isOf)) held.push(one);
  }
  return held;
}

function lineOf({ key, mask }: Match): string {
  const field = (i: number): string => `0.0.0.${key[i]}/0.0.0.${mask[i]}`;
  return (
    `in_port(1),eth(),eth_type(0x0800),ipv4(src=${field(0)},dst=${field(1)},` +
    `tos=${key[2]}/${mask[2]},frag=no) 1`
  );
}

type Dumped = FlowParts & { readonly match: Match };

function ordered(flows: readonly Dumped[]): { atOnce: number; flows: Match[] } {
  const order = new LoadOrder<Dumped>((flow) => flow);
  for (const flow of flows) order.learn(flow);
  const first = flows.filter((flow) => order.admit(flow));
  return { atOnce: first.length, flows: [...first, ...order.rest()].map((flow) => flow.match) };
}

function dumped(one: Match): Dumped {
  return { ...flowOf(lineOf(one)), match: one };
}

test("what a datapath held, in whatever order it is dumped, is taken again", () => {
  const everything = fc
    .array(match, { minLength: 2, maxLength: 40 })
    .map((matches) => takenOf(matches))
    .chain((held) => fc.shuffledSubarray(held, { minLength: held.length }));
  fc.assert(
    fc.property(everything, (held) => {
      const { flows } = ordered(held.map(dumped));
      expect(flows.length).toBe(held.length);
      expect(takenOf(flows)).toEqual(flows);
    }),
    PROPERTY,
  );
});

test("flows that are in nobody's way do not wait, and a wide one does", () => {
  const narrow = [1, 2, 3].map((value): Match => ({ key: [value, 1, 0], mask: [3, 1, 0] }));
  const elsewhere: Match = { key: [0, 2, 0], mask: [0, 3, 0] };
  expect(ordered([elsewhere, ...narrow].map(dumped)).atOnce).toBe(4);
  const wide: Match = { key: [0, 1, 0], mask: [0, 3, 0] };
  const { atOnce, flows } = ordered([wide, ...narrow].map(dumped));
  expect(atOnce).toBe(3);
  expect(flows.at(-1)).toEqual(wide);
  expect(takenOf(flows)).toHaveLength(4);
});

test("a flow that came after the masks were learnt waits, too", () => {
  const narrow: Match = { key: [1, 1, 0], mask: [3, 1, 0] };
  const wide = (dst: number): Match => ({ key: [0, dst, 0], mask: [0, 3, 0] });
  const order = new LoadOrder<Dumped>((flow) => flow);
  for (const one of [narrow, wide(2)]) order.learn(dumped(one));
  expect(order.admit(dumped(wide(2)))).toBe(true);
  expect(order.admit(dumped(wide(1)))).toBe(false);
  expect(order.admit(dumped(narrow))).toBe(true);
  expect([...order.rest()].map((one) => one.match)).toEqual([wide(1)]);
});

test("where each of two masks has a flow in the way of the other one's, single flows tell", () => {
  const bySource = (src: number, tos: number): Match => ({ key: [src, 0, tos], mask: [3, 0, 3] });
  const byTarget = (dst: number, tos: number): Match => ({ key: [0, dst, tos], mask: [0, 3, 3] });
  const held = [bySource(0, 1), byTarget(0, 2), bySource(1, 2), byTarget(1, 1)];
  expect(takenOf(held)).toHaveLength(2);
  expect(takenOf(ordered(held.map(dumped)).flows)).toHaveLength(4);
});
