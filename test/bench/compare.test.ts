import { describe, expect, test } from "bun:test";
import { compareRuns } from "../../bench/compare.ts";
import { ENVIRONMENT, results, run } from "./support.ts";

/** One variant of millrace and one of C, a figure a round. */
function both(own: readonly number[], limit: readonly number[]): ReturnType<typeof results> {
  return results(
    ...own.map((seconds, round) => run("millrace", round, seconds)),
    ...limit.map((seconds, round) => run("C", round, seconds)),
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
    expect(compared.drift.get("growth")).toBe(2);
    expect(compared.rows).toMatchObject([{ name: "millrace", ratio: 1, verdict: "same" }]);
    expect(verdict(before, both([2.4, 2.6, 2.5], [2, 2, 2]))).toBe("slower");
  });

  test("says of one round that it tells nothing", () => {
    expect(verdict(both([1], [1]), both([2], [1]))).toBe("few");
  });

  test("leaves failed runs out, and names what was measured once", () => {
    const after = results(
      run("millrace", 0, 9, { failed: "exit 1" }),
      run("millrace, more", 0, 1),
      run("C", 0, 1),
    );
    const compared = compareRuns(before, after);
    expect(compared.rows).toEqual([]);
    expect(compared.onlyBefore).toEqual(["growth: millrace"]);
    expect(compared.onlyAfter).toEqual(["growth: millrace, more"]);
  });

  test("says what differs of the machines", () => {
    const after = { runs: [], environment: { ...ENVIRONMENT, cpus: 4 } };
    expect(compareRuns(before, after).differences).toEqual(["cpus: 2 then, 4 now"]);
  });
});
