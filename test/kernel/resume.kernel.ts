import { expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sampleLine } from "../../src/format/sample.ts";
import { limit } from "../runner/limit.ts";
import { MILLRACE, millrace, TestDatapath, witness } from "./lab.ts";
import { fileOf, folder } from "./sets.ts";

setDefaultTimeout(limit(120));

const FLOWS = 4000;
/** Batches are small as well, in both runs. */
const SLOWLY = ["--max-rate", "3000"] as const;

const LINES = Array.from({ length: FLOWS }, (_, i) => sampleLine(i));

function resume(file: string, dp: string, ...more: readonly string[]) {
  const args = ["load", file, "--dp", dp, "--resume", "--json", ...more];
  const { exitCode, stdout, stderr } = millrace(args);
  return { exitCode, stderr, report: stdout === "" ? undefined : JSON.parse(stdout) };
}

/** The position in a journal: flows settled, flows sent. */
function positionIn(journal: string): number[] {
  return readFileSync(journal, "latin1").trim().split("\n").at(-1)?.split(" ").map(Number) ?? [];
}

/** Loads slowly with a journal, and kills it by SIGKILL once some thousand flows are settled. */
async function cutLoad(file: string, dp: string): Promise<string> {
  const journal = `${file}.${dp}.journal`;
  const child = Bun.spawn([MILLRACE, "load", file, "--dp", dp, "--resume", ...SLOWLY], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (;;) {
    await Bun.sleep(50);
    if (existsSync(journal) && (positionIn(journal)[0] ?? 0) >= 1000) break;
    expect(child.exitCode).toBeNull();
  }
  child.kill("SIGKILL");
  await child.exited;
  return journal;
}

test("a load that SIGKILL cut goes on where it was, and says how much was there", async () => {
  using dp = new TestDatapath("rs1");
  const file = fileOf("cut.txt", LINES.join("\n"));
  const journal = await cutLoad(file, dp.name);
  const [settled = 0, sent = 0] = positionIn(journal);
  expect(dp.flows).toBeGreaterThanOrEqual(settled);
  expect(dp.flows).toBeLessThanOrEqual(sent);
  const { exitCode, report, stderr } = resume(file, dp.name, ...SLOWLY);
  expect([exitCode, stderr]).toEqual([0, ""]);
  expect(report).toMatchObject({ applied: FLOWS, lines: FLOWS, ended: "complete" });
  expect(report.resumed).toBeGreaterThan(0);
  expect(report.resumed).toBeLessThanOrEqual(settled);
  expect(dp.flows).toBe(FLOWS);
  expect(existsSync(journal)).toBe(false);
  expect(millrace(["verify", file, "--dp", dp.name]).exitCode).toBe(0);
});

test("the kernel decides: what was deleted or changed since is sent again", async () => {
  using dp = new TestDatapath("rs2");
  const file = fileOf("gone.txt", LINES.join("\n"));
  await cutLoad(file, dp.name);
  const [first = "", second = ""] = LINES;
  expect(millrace(["flow", "del", first.replace(/ \S+$/, ""), "--dp", dp.name]).exitCode).toBe(0);
  const changed = fileOf("changed.txt", second.replace(/ \S+$/, " 1"));
  expect(millrace(["load", changed, "--dp", dp.name]).exitCode).toBe(0);
  const { exitCode, report, stderr } = resume(file, dp.name);
  expect(stderr).toContain(
    "2 flows of the run that was cut are not in rs2 as loaded: all from the first of them on is sent again",
  );
  expect([exitCode, report.applied]).toEqual([0, FLOWS]);
  expect(millrace(["verify", file, "--dp", dp.name]).exitCode).toBe(0);
  // A datapath that was made anew has none of them.
  const again = await cutLoad(file, dp.name);
  expect(millrace(["flow", "flush", "--dp", dp.name]).exitCode).toBe(0);
  expect(resume(file, dp.name).report).toMatchObject({ applied: FLOWS, resumed: 0 });
  expect(dp.flows).toBe(FLOWS);
  expect(existsSync(again)).toBe(false);
});

test("no room for a journal is an error before anything is sent, or a warning", () => {
  using dp = new TestDatapath("rs3");
  const full = join(folder, "full");
  mkdirSync(full);
  // One page, which the file takes.
  witness("busybox", "mount", "-t", "tmpfs", "-o", "size=4k", "none", full);
  try {
    const file = join(full, "flows.txt");
    writeFileSync(file, LINES.slice(0, 10).join("\n"));
    const refused = resume(file, dp.name);
    expect([refused.exitCode, dp.flows]).toEqual([2, 0]);
    expect(refused.stderr).toContain("the disk is full; nothing was sent");
    const without = resume(file, dp.name, "--no-journal");
    expect([without.exitCode, dp.flows]).toEqual([0, 10]);
    expect(without.stderr).toContain("warning: no journal is kept");
  } finally {
    witness("busybox", "umount", "-l", full);
  }
  const locked = join(folder, "locked");
  mkdirSync(locked);
  const file = join(locked, "flows.txt");
  writeFileSync(file, LINES.slice(10, 20).join("\n"));
  witness("busybox", "mount", "--bind", "-o", "ro", locked, locked);
  witness("busybox", "mount", "-o", "remount,ro,bind", locked);
  try {
    const refused = resume(file, dp.name);
    expect([refused.exitCode, dp.flows]).toEqual([2, 10]);
    expect(refused.stderr).toContain("mounted to be read only");
  } finally {
    witness("busybox", "umount", "-l", locked);
    chmodSync(locked, 0o755);
  }
  // A user's file of that name is left alone.
  const journal = `${file}.${dp.name}.journal`;
  writeFileSync(journal, "mine\n");
  expect(resume(file, dp.name).exitCode).toBe(2);
  expect(readFileSync(journal, "utf8")).toBe("mine\n");
  rmSync(journal);
  expect(resume(file, dp.name)).toMatchObject({ exitCode: 0, stderr: "" });
  expect(dp.flows).toBe(20);
});

test("what cannot be resumed says so", () => {
  const file = fileOf("few.txt", LINES.slice(0, 3).join("\n"));
  const said = (...args: readonly string[]): string => {
    const { exitCode, stderr } = millrace(["load", ...args]);
    expect(exitCode).toBe(2);
    return stderr;
  };
  expect(said(file, "--dry-run", "--resume")).toContain("--resume continues a load");
  expect(said(file, "--dp", "x", "--no-journal")).toContain("--no-journal goes with --resume");
});
