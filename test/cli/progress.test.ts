import { expect, test } from "bun:test";
import { progressLine } from "../../src/cli/progress.ts";

const HALF = { bytesRead: 500, bytesTotal: 1000, flows: 300_000, failures: 0 };

test("a bar with flows, rate, and the time that is left", () => {
  const line = progressLine(HALF, 2000, 100);
  expect(line).toBe(
    `${"█".repeat(19)}${"░".repeat(19)}  50% | 300,000 flows, 150,000/s | 2 s left`,
  );
  expect(progressLine({ ...HALF, failures: 7 }, 2000, 100)).toContain("150,000/s, 7 failed | ");
});

test("nothing is said of the rate and the time before they are known", () => {
  expect(progressLine(HALF, 100, 100)).toEndWith("| 300,000 flows");
  expect(progressLine({ ...HALF, bytesRead: 0 }, 2000, 100)).not.toContain("left");
});

test("a stream has no end that is known: flows, rate, and how long it has been", () => {
  const { bytesTotal: _, ...stream } = HALF;
  const line = progressLine({ ...stream, bytesTotal: undefined }, 125_000, 100);
  expect(line).toBe("300,000 flows, 2,400/s | 2 min 5 s");
});

test.each([60, 80, 100, 200])("a line fits %i columns", (columns) => {
  const far = { bytesRead: 1e9, bytesTotal: 1.7e10, flows: 12_345_678, failures: 0 };
  expect(Bun.stringWidth(progressLine(far, 1e6, columns))).toBeLessThanOrEqual(columns);
});
