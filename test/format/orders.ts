import { expect } from "bun:test";
import * as fc from "fast-check";

// Random flows for tests of their order, and what a kernel makes of an order.

/** The matched value of each field; zero where the mask is. */
export type Match = { readonly key: readonly number[]; readonly mask: readonly number[] };

/** The line of a flow that puts. */
export function lineOf({ key, mask }: Match): string {
  const field = (i: number): string => `0.0.0.${key[i]}/0.0.0.${mask[i]}`;
  return (
    `in_port(1),eth(),eth_type(0x0800),ipv4(src=${field(0)},dst=${field(1)},` +
    `tos=${key[2]}/${mask[2]},ttl=${key[3]}/${mask[3]},frag=no) 1`
  );
}

/** What becomes of flows in a datapath as the kernel keeps it, which flow each one meets, and which matches a packet first. */
function outcomes(flows: ReadonlyMap<number, Match>): Map<number, number> {
  const held: [number, Match][] = [];
  const met = new Map<number, number>();
  for (const [line, one] of flows) {
    const found = held.find(([, { key, mask }]) =>
      key.every((value, i) => ((one.key[i] ?? 0) & (mask[i] ?? 0)) === value),
    );
    met.set(line, found?.[0] ?? 0);
    if (found === undefined) held.push([line, one]);
  }
  return met;
}

function overlap(one: Match, other: Match): boolean {
  return one.key.every(
    (value, i) => ((value ^ (other.key[i] ?? 0)) & (one.mask[i] ?? 0) & (other.mask[i] ?? 0)) === 0,
  );
}

const BITS = [0, 1, 2, 3, 4, 8, 12, 15] as const;
const bits = fc.array(fc.constantFrom(...BITS), { minLength: 3, maxLength: 3 });

/** A match of bits of three fields, and of a fourth that mostly keeps it apart from others. */
const match: fc.Arbitrary<Match> = fc
  .tuple(bits, bits, fc.constantFrom(0, 0, 0, 2, 3, 1), fc.constantFrom(3, 3, 3, 3, 3, 2, 1))
  .map(([key, mask, region, of]) => ({
    key: [...key.map((value, i) => value & (mask[i] ?? 0)), region & of],
    mask: [...mask, of],
  }));

/** Flows of many masks, before and behind many flows of one. */
export const flowsOf: fc.Arbitrary<Match[]> = fc
  .tuple(fc.array(match, { maxLength: 25 }), fc.array(match, { maxLength: 25 }), bits)
  .map(([first, last, mask]) => {
    const many = Array.from({ length: 64 }, (_, i): Match => {
      const key = [i & 15, (i >> 2) & 15, i >> 3].map((value, at) => value & (mask[at] ?? 0));
      return { key: [...key, 1], mask: [...mask, 3] };
    });
    return [...first, ...many, ...last];
  });

const NO_MATCH: Match = { key: [], mask: [] };

/** Expects that the same becomes of each flow if the lines, from 1, are sent in another order. */
export function expectSameOutcomes(flows: readonly Match[], lines: readonly number[]): void {
  const byLine = new Map(flows.map((flow, i) => [i + 1, flow]));
  const sent = new Map(lines.map((line) => [line, byLine.get(line) ?? NO_MATCH]));
  expect(lines.length).toBe(flows.length);
  expect(sent.size).toBe(flows.length);
  expect([...outcomes(sent)].sort(byFirst)).toEqual([...outcomes(byLine)]);
  // Which of two flows comes first is decisive for packets, too.
  const placeOf = new Map(lines.map((line, i) => [line, i]));
  for (let a = 0; a < flows.length; a++)
    for (let b = 0; b < a; b++)
      if (overlap(flows[a] ?? NO_MATCH, flows[b] ?? NO_MATCH))
        expect(placeOf.get(b + 1)).toBeLessThan(placeOf.get(a + 1) ?? -1);
}

function byFirst(one: readonly [number, number], other: readonly [number, number]): number {
  return one[0] - other[0];
}
