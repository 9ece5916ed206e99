import { expect, test } from "bun:test";
import { collectorPauses, WATCHED } from "../../bench/collector.ts";
import { runProgram } from "../../bench/program.ts";

test("the garbage collector of this Bun tells of its pauses, and of none where there are none", () => {
  const bun = (script: string): number[] | undefined => {
    const { stderr, failed } = runProgram([process.execPath, "-e", script], WATCHED);
    expect(failed).toBeUndefined();
    return collectorPauses(stderr);
  };
  const pauses = bun("Bun.gc(true)");
  expect(pauses?.length).toBeGreaterThan(0);
  for (const pause of pauses ?? []) expect(pause).toBeWithin(0, 10_000);
  expect(bun("0")).toEqual([]);
  expect(collectorPauses("")).toBeUndefined();
});
