import { expect, test } from "bun:test";
import { measureCase, microCases } from "../../bench/micro/suite.ts";

const COUNT = 20;

test("every micro-benchmark does its work, the same each time", () => {
  for (const { group, name, count, run } of microCases(COUNT)) {
    const proof = run();
    expect(count).toBe(COUNT);
    expect({ group, name, proof: run() }).toEqual({ group, name, proof });
    // UFIDs are mixed with one another: an even number of the same gives zero.
    if (group !== "UFID") expect(proof).not.toBe(0);
  }
});

test("cases have names of their own", () => {
  const names = microCases(1).map(({ group, name }) => `${group}: ${name}`);
  expect(new Set(names).size).toBe(names.length);
});

test("lines that share a shape do the work of lines on their own", () => {
  const proofs = new Map(microCases(COUNT).map(({ name, run }) => [name, run()]));
  expect(proofs.get("sample lines, UFID")).toBe(
    proofs.get("sample lines, UFID, each on its own") ?? 0,
  );
});

test("flows that share a form are printed as flows on their own are", () => {
  const proofs = new Map(microCases(COUNT).map(({ name, run }) => [name, run()]));
  for (const style of ["dump line", "dump line of -m"])
    expect(proofs.get(style)).toBe(proofs.get(`${style}, each on its own`) ?? 0);
});

test("a case is measured in nanoseconds for one", async () => {
  const [first] = microCases(COUNT);
  if (first === undefined) throw new Error("no case");
  const startedAt = performance.now();
  const result = await measureCase(first, { count: COUNT, milliseconds: 1, runsMin: 2 });
  expect(result.median).toBeGreaterThan(1);
  expect(result.median * COUNT).toBeLessThan((performance.now() - startedAt) * 1e6);
  expect(result.min).toBeLessThanOrEqual(result.median);
  expect(result.perSecond).toBe(Math.round(1e9 / result.median));
  expect(result.runs).toBeGreaterThanOrEqual(2);
});
