import { describe, expect, test } from "bun:test";
import { compareRuns } from "../../bench/compare.ts";
import { ENVIRONMENT, results, run } from "./support.ts";

/** One variant of millrace and one of C, a figure a round. */
function both(own: readonly number[], limit: readonly number[]): ReturnType<typeof results> {
  return results(
    ...own.map((seconds, round) => run("packed", round, seconds)),
    ...limit.map((seconds, round) => run("limit-1", round, seconds)),
  );
}

function verdict(before: ReturnType<typeof both>, after: ReturnType<typeof both>): string {
  return compareRuns(before, after).rows[0]?.verdict ?? "none";
}

describe("a comparison", () => {
  const before = both([1, 1.1, 1.05], [1, 1, 1]);

  test("calls slower and faster what is so in every round", () => {
    expect(verdict(before, both([1.2, 1.3, 1.25], [1, 1, 1]))).toBe("slower");
    expect(verdict(before, both([0.8, 0.9, 0.85], [1, 1, 1]))).toBe("faster");
  });

  test("calls noise what is within the rounds of the other run", () => {
    expect(verdict(before, both([1.08, 1.3, 1.25], [1, 1, 1]))).toBe("same");
  });

  test("calls none what is steady and small", () => {
    expect(verdict(both([1, 1, 1], [1, 1, 1]), both([1.04, 1.04, 1.04], [1, 1, 1]))).toBe("same");
  });

  test("takes off what the machine has lost", () => {
    const compared = compareRuns(before, both([2, 2.2, 2.1], [2, 2, 2]));
    expect(compared.drift.get("growth")?.by).toBe(2);
    expect(compared.rows).toMatchObject([{ name: "packed", ratio: 1, verdict: "same" }]);
    expect(verdict(before, both([2.4, 2.6, 2.5], [2, 2, 2]))).toBe("slower");
  });

  test("says of few rounds that they tell nothing, but of a gap beyond any noise", () => {
    expect(verdict(both([1], [1]), both([1.4], [1]))).toBe("few");
    expect(verdict(both([1], [1]), both([2], [1]))).toBe("slower");
    expect(verdict(both([1, 1, 1], [1]), both([1.2, 1.2], [1]))).toBe("few");
    expect(verdict(both([1], [1]), both([1.01], [1]))).toBe("same");
  });

  test("wants more than the rounds scatter, however they lie", () => {
    expect(verdict(both([1, 1.1, 1.2], [1, 1, 1]), both([1.25, 1.35, 1.45], [1, 1, 1]))).toBe(
      "same",
    );
  });

  test("wants more than C's own variants disagree by", () => {
    const with2 = (own: number, c: number): ReturnType<typeof results> =>
      results(
        ...[0, 1, 2].flatMap((round) => [
          run("packed", round, own),
          run("limit-1", round, 1),
          run("limit-2", round, c),
        ]),
      );
    expect(verdict(with2(1, 1), with2(1.2, 1))).toBe("slower");
    expect(verdict(with2(1, 1), with2(1.4, 1.3))).toBe("same");
  });

  test("takes no other peer for the machine", () => {
    const beside = (seconds: number): ReturnType<typeof results> =>
      results(run("packed", 0, 1), run("libmnl", 0, seconds, { program: "libmnl" }));
    const compared = compareRuns(beside(1), beside(3));
    expect(compared.drift.size).toBe(0);
    expect(compared.rows).toMatchObject([{ ratio: 1, verdict: "same" }]);
  });

  test("holds starts against bare Bun, which is none of millrace's", () => {
    const native = { part: "native", flows: 0 } as const;
    const starts = (own: number, bun: number): ReturnType<typeof results> =>
      results(
        ...[0, 1, 2].flatMap((round) => [
          run("start-version", round, own, native),
          run("start-bun", round, bun, { ...native, program: "bun" }),
        ]),
      );
    const compared = compareRuns(starts(1, 1), starts(3, 3));
    expect(compared.rows).toMatchObject([{ name: "start-version", ratio: 1 }]);
    expect(verdict(starts(1, 1), starts(1.5, 1))).toBe("slower");
  });

  test("holds the whole process of a load as well: its start may be what became slower", () => {
    const load = (wholeSeconds: number): ReturnType<typeof results> =>
      results(...[0, 1, 2].map((round) => run("load-text", round, 1, { wholeSeconds })));
    expect(compareRuns(load(2), load(3)).rows).toMatchObject([
      { measure: "sending", verdict: "same" },
      { measure: "whole", ratio: 1.5, verdict: "slower" },
    ]);
  });

  test("does not compare another number of flows", () => {
    const compared = compareRuns(before, results(run("packed", 0, 1, { flows: 10 })));
    expect(compared.rows).toEqual([]);
    expect(compared.onlyAfter).toEqual(["growth: packed (10 flows)"]);
  });

  test("has no verdict between two machines or kernels", () => {
    const after = both([9, 9, 9], [1, 1, 1]);
    for (const other of [{ cpu: "another" }, { labKernel: "6.2" }]) {
      const moved = { ...after, environment: { ...ENVIRONMENT, ...other } };
      expect(verdict(before, moved)).toBe("elsewhere");
    }
    const host = { ...after, environment: { ...ENVIRONMENT, hostKernel: "6.2" } };
    expect(verdict(before, host)).toBe("slower");
  });

  test("leaves failed runs out, and names what was measured once", () => {
    const after = results(
      run("packed", 0, 9, { failed: "exit 1" }),
      run("packed-more", 0, 1),
      run("limit-1", 0, 1),
    );
    const compared = compareRuns(before, after);
    expect(compared.rows).toEqual([]);
    expect(compared.onlyBefore).toEqual(["growth: packed (1,000 flows)"]);
    expect(compared.onlyAfter).toEqual(["growth: packed-more (1,000 flows)"]);
  });

  test("says what differs of the machines", () => {
    const after = { runs: [], environment: { ...ENVIRONMENT, cpus: 4 } };
    expect(compareRuns(before, after).differences).toEqual(["cpus: 2 then, 4 now"]);
  });
});
