import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");

/** A guest covers all of these, so no cache can be there. */
const NOWHERE = { XDG_CACHE_HOME: "/proc/none", HOME: "/proc/none", TMPDIR: "/proc" };

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): { exitCode: number; stdout: string; stderr: string } {
  const child = Bun.spawnSync([MILLRACE, ...args], { env: { ...process.env, ...env } });
  const { exitCode, stdout, stderr } = child;
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

test("lab list tells of a cache that cannot be", () => {
  const { exitCode, stdout, stderr } = run(["lab", "list"], NOWHERE);
  expect([exitCode, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^uml +no +(no folder for the lab's kernels can be written|x86-64 only)/m);
  expect(stdout).toContain("kept  nothing");
  expect(JSON.parse(run(["lab", "list", "--json"], NOWHERE).stdout)).toMatchObject({
    cache: null,
    cached: [],
    running: [],
  });
});

test("lab list makes no cache where there is none yet", () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-cache-"));
  try {
    const { exitCode, stdout } = run(["lab", "list", "--json"], { XDG_CACHE_HOME: folder });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ cache: join(folder, "millrace"), cached: [] });
    // Bun keeps something of its own there.
    expect(readdirSync(folder)).not.toContain("millrace");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a demo says in a word that the lab failed, exit 125", () => {
  const { exitCode, stderr } = run(["demo", "--kernel", "uml"], NOWHERE);
  expect(exitCode).toBe(125);
  expect(stderr).toStartWith("millrace: no folder for the lab's kernels can be written");
});
