import { expect, test } from "bun:test";
import { limit } from "../runner/limit.ts";
import { planOf, runPlan } from "./run-seed.ts";

const SEEDS = Number(process.env["MILLRACE_SIMULATE_SEEDS"] ?? 200);
const isLong = process.env["MILLRACE_SIMULATE_SEEDS"] !== undefined;
const FROM = isLong ? (Date.now() & 0xffffff) * 1000 : 1;

const GC_EVERY = 10;

test(
  `${SEEDS} simulated programs from seed ${FROM} on: all that must hold holds`,
  async () => {
    for (let seed = FROM; seed < FROM + SEEDS; seed++) {
      const { found } = await runPlan(planOf(seed));
      // Large buffers are no weight to the collector: it is told to look.
      if (seed % GC_EVERY === 0) Bun.gc(true);
      expect({ seed, found: found?.error.message }).toEqual({ seed, found: undefined });
    }
  },
  limit(60 + SEEDS / 5),
);

test("a seed asks the kernel for the same each time, byte for byte", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const plan = planOf(seed);
    expect(planOf(seed)).toEqual(plan);
    const [one, other] = [await runPlan(plan), await runPlan(plan)];
    expect(one.digest).toBe(other.digest);
    expect(one.found?.error.message).toBe(other.found?.error.message);
  }
});

test("a step that no operation carries out is wrong, not passed over", async () => {
  const { found } = await runPlan({
    seed: 1,
    steps: [{ operation: "nothing", seed: 1, faults: [] }],
  });
  expect(found?.error.message).toContain('"nothing"');
});
