import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DumpCheck, doubtInWords } from "../../src/ovs/dump-check.ts";
import { type FlowParts, newFlowParts } from "../../src/flow/parts.ts";

/** A flow that has a UFID, or only a key. */
function flowOf(name: Uint8Array, by: "ufid" | "key"): FlowParts {
  const view = newFlowParts();
  // Something lies before it, as in a receive buffer.
  view.bytes = new Uint8Array([1, 2, 3, ...name, 4]);
  Object.assign(view[by], { start: 3, end: 3 + name.length });
  return view;
}

/** A check of a datapath that held so many flows before and after. */
function checkOf(before: number, after: number): DumpCheck {
  const counts = [before, after];
  return new DumpCheck(() => counts.shift() ?? -1);
}

describe("a dump's check", () => {
  test("counts each flow once, whatever names it", () => {
    const names = fc.array(fc.uint8Array({ minLength: 1, maxLength: 16 }), {
      maxLength: 3000,
      size: "max",
    });
    fc.assert(
      fc.property(names, fc.constantFrom("ufid" as const, "key" as const), (given, by) => {
        const check = checkOf(given.length, given.length);
        for (const name of given) check.add(flowOf(name, by));
        const dumped = new Set(given.map(String)).size;
        const repeated = given.length - dumped;
        const whole = { dumped, repeated, before: given.length, after: given.length };
        expect(check.doubt()).toEqual(repeated === 0 ? undefined : whole);
      }),
      { numRuns: 30 },
    );
  });

  test("tells apart a hundred thousand names that differ in one bit, and knows them again", () => {
    const flows = 100_000;
    const check = checkOf(flows, flows);
    const name = new Uint8Array(16);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < flows; i++) {
        new DataView(name.buffer).setUint32((i % 4) * 4, i, true);
        check.add(flowOf(name, "ufid"));
        name.fill(0);
      }
    }
    expect(check.doubt()).toEqual({ dumped: flows, repeated: flows, before: flows, after: flows });
  });

  test.each([
    [5, 5, false],
    // Flows came, or went: all that were there from the beginning to the end may have been seen.
    [5, 9, false],
    [9, 5, false],
    [3, 4, false],
    [6, 6, true],
    [6, 9, true],
    [9, 6, true],
  ])("of five flows, where %d were there before and %d after it", (before, after, isDoubtful) => {
    const check = checkOf(before, after);
    for (let i = 0; i < 5; i++) check.add(flowOf(new Uint8Array([i]), "key"));
    expect(check.doubt() !== undefined).toBe(isDoubtful);
  });

  test("says what is doubtful", () => {
    expect(doubtInWords({ dumped: 5, repeated: 0, before: 6, after: 6 })).toBe(
      "flows changed during the dump, it may lack some: it has 5; the datapath held 6",
    );
    expect(doubtInWords({ dumped: 5, repeated: 2, before: 6, after: 7 })).toBe(
      "flows changed during the dump, it may lack some: it has 5, 2 of them came twice or more; " +
        "the datapath held 6 before and 7 after it",
    );
  });
});
