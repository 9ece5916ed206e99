import { expect, test } from "bun:test";
import { createHistogram } from "node:perf_hooks";
import fc from "fast-check";
import { batchLatency } from "../../src/load/report.ts";
import { PROPERTY } from "../flow/harness.ts";

function latencyOf(nanoseconds: readonly number[]): ReturnType<typeof batchLatency> {
  const histogram = createHistogram();
  for (const value of nanoseconds) histogram.record(value);
  return batchLatency(histogram);
}

test("no percentile of latencies is above the greatest one", () => {
  const latency = fc.integer({ min: 1, max: 4e9 });
  fc.assert(
    fc.property(fc.array(latency, { minLength: 1, maxLength: 200 }), (values) => {
      // Few values, and enough of them for each percentile.
      for (const times of [1, 1000]) {
        const many = Array.from({ length: times }, (_, i) => values[i % values.length] ?? 1);
        const { p50, p90, p99, p999, max } = latencyOf([...values, ...many]);
        const rising = [p50, p90, p99 ?? p90, p999 ?? p99 ?? p90, max];
        expect(rising).toEqual(rising.toSorted((a, b) => a - b));
        expect(max).toBe(Math.round(Math.max(...values) / 1000));
      }
    }),
    { ...PROPERTY, numRuns: Math.min(PROPERTY.numRuns, 1000) },
  );
});

test("the greatest latency is no percentile: p99 is of 100 batches, p999 of 1,000", () => {
  const of = (count: number): ReturnType<typeof batchLatency> =>
    latencyOf(Array.from({ length: count }, (_, i) => (i + 1) * 1e6));
  expect(of(0)).toEqual({ p50: 0, p90: 0, p99: null, p999: null, max: 0 });
  expect(of(99)).toMatchObject({ p99: null, p999: null, max: 99_000 });
  expect(of(100)).toMatchObject({ p99: expect.any(Number), p999: null });
  expect(of(999).p999).toBeNull();
  expect(of(1000)).toMatchObject({ p99: expect.any(Number), p999: expect.any(Number) });
});
