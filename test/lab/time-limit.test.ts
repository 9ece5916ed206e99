import { expect, test } from "bun:test";
import { slowness, timeLimit } from "../../src/lab/time-limit.ts";

test("a limit is as many times longer as the machine is slower when it is over", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const startedAt = performance.now();
  timeLimit(20, resolve, () => 3);
  expect(await promise).toBe(60);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(59);
});

test("what is called off, before and after the look, never comes", async () => {
  let looks = 0;
  let overs = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): number => {
    looks++;
    resolve();
    return 2;
  };
  const early = timeLimit(1, () => void overs++, look);
  early();
  const late = timeLimit(1, () => void overs++, look);
  await promise;
  late();
  await Bun.sleep(10);
  expect([looks, overs]).toEqual([1, 0]);
});

test("a machine is never said to be faster than a quiet one", () => {
  expect(slowness()).toBeGreaterThanOrEqual(1);
});
