import { expect, test } from "bun:test";
import { join } from "node:path";

/** The output inside a lab, whose limits are measured again. */
function paceInside(patience?: string): number {
  const env: Record<string, string | undefined> = { ...process.env };
  delete env["MILLRACE_TEST_PATIENCE"];
  if (patience !== undefined) env["MILLRACE_TEST_PATIENCE"] = patience;
  const command = [process.execPath, join(import.meta.dir, "pace.ts"), "inside"];
  return Number(Bun.spawnSync(command, { env }).stdout.toString());
}

test("a run of more work has longer limits inside a lab, too", () => {
  expect(paceInside()).toBeGreaterThanOrEqual(1);
  const patient = paceInside("60");
  expect(patient).toBeGreaterThanOrEqual(60);
  expect(patient % 60).toBe(0);
});
