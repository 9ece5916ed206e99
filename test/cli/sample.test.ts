import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sampleLine } from "../../src/format/sample.ts";
import { onTerminal } from "./on-terminal.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-sample-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");

function shell(command: string): { exitCode: number; stdout: string; stderr: string } {
  const words = ["bash", "-c", command.replaceAll("millrace ", `${MILLRACE} `)];
  const { exitCode, stdout, stderr } = Bun.spawnSync(words, { cwd: folder });
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

const FLOWS = Array.from({ length: 10_000 }, (_, i) => `${sampleLine(i)}\n`).join("");

test("sample writes so many different flows, to a file or to standard output", () => {
  expect(shell("millrace sample 10000 -o flows.txt")).toEqual({
    exitCode: 0,
    stdout: "",
    stderr: "",
  });
  expect(readFileSync(join(folder, "flows.txt"), "utf8")).toBe(FLOWS);
  expect(shell("millrace sample 10000").stdout).toBe(FLOWS);
  expect(new Set(FLOWS.split("\n")).size).toBe(10_001);
  const load = shell("millrace sample 10000 | millrace load --dry-run");
  expect([load.exitCode, load.stdout]).toEqual([
    0,
    expect.stringContaining("10,000 valid of 10,000 lines"),
  ]);
});

test("sample ends where nobody reads any more", () => {
  const { exitCode, stdout } = shell("millrace sample 1000000000 | head -n 1");
  expect([exitCode, stdout]).toEqual([0, `${sampleLine(0)}\n`]);
});

test.each(["0", "x", "-1", "1.5", "2000000000"])("sample %s is a usage error", (count) => {
  const { exitCode, stdout, stderr } = shell(`millrace sample -- ${count}`);
  expect([exitCode, stdout]).toEqual([2, ""]);
  expect(stderr).toStartWith(`millrace: found "${count}", expected a number of flows from 1 to `);
});

test("sample that is ended in its middle leaves no file", async () => {
  const path = join(folder, "half.txt");
  const child = Bun.spawn([MILLRACE, "sample", "1000000000", "-o", path]);
  const isThere = (): boolean => readdirSync(folder).some((name) => name.startsWith(".millrace-"));
  while (!isThere()) await Bun.sleep(5);
  child.kill("SIGINT");
  expect(await child.exited).toBe(4);
  expect([existsSync(path), isThere()]).toEqual([false, false]);
});

test.each(["load - --dry-run", "compile - -o /dev/null"])(
  "%s on a terminal says that it waits for flows",
  async (words) => {
    const terminal = onTerminal([MILLRACE, ...words.split(" ")]);
    await terminal.shows("reading flows from this terminal, one per line; Ctrl-D ends them");
    terminal.type(`${sampleLine(1)}\n\u0004`);
    expect(await terminal.ended).toBe(0);
    expect(terminal.text).toMatch(/ 1 valid of 1 line| 1 flow of 1 line/);
  },
);
