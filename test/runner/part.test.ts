import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const run = mkdtempSync(join(tmpdir(), "millrace-run-"));
afterAll(() => rmSync(run, { recursive: true }));

/** Runs one part of a run of five. @returns its status and its output */
function part(name: string, file: string): string {
  const { exitCode, stderr } = Bun.spawnSync(["sh", "test/runner/part", name, file], {
    cwd: ROOT,
    env: { ...process.env, MILLRACE_TEST_RUN: run, MILLRACE_TEST_PARTS: "5" },
  });
  return `${exitCode} ${stderr.toString()}`;
}

test("a part says when it begins and ends, what it did, and what is left", () => {
  // One that runs in another kernel, and one that is left out.
  mkdirSync(join(run, "uml: truth"));
  mkdirSync(join(run, "lab: qemu"));
  writeFileSync(join(run, "lab: qemu", "skipped"), "no QEMU here\n");
  expect(part("unit", "./test/cli/progress.test.ts")).toMatch(
    new RegExp(
      "^0 begins: unit \\(1 of 5 parts done, running: uml: truth, unit, 2 left\\)\n" +
        "ended: unit: \\d+ passed, 0 failed, 0 skipped, \\d+ s \\(2 of 5 parts done, running: uml: truth, 2 left\\)\n$",
    ),
  );
  expect(readFileSync(join(run, "unit", "said"), "utf8")).toMatch(/ \d+ pass\n/);
  // Who comes second leaves it.
  expect(part("unit", "./test/cli/progress.test.ts")).toBe("0 ");
});

test("a part that leaves no report says so much", () => {
  const said = part("uml: none", "./test/cli/none-such.test.ts");
  expect(said).toStartWith("1 begins: uml: none (");
  expect(said).toContain("\nended: uml: none (3 of 5 parts done, ");
  expect(existsSync(join(run, "uml: none", "junit.xml"))).toBe(false);
});
