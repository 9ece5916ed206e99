import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isColoured } from "../../src/cli/terminal.ts";
import { writeSample } from "../../src/format/sample.ts";
import { onTerminal } from "./on-terminal.ts";

const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");
const ESCAPE = "\u001b";

/** What doctor, which has colours, writes to a terminal. */
async function doctor(env: Readonly<Record<string, string>>): Promise<string> {
  const terminal = onTerminal([MILLRACE, "doctor"], { env });
  await terminal.ended;
  return terminal.text;
}

test.each([
  [{}, true],
  [{ NO_COLOR: "1" }, false],
  [{ NO_COLOR: "" }, true],
  [{ FORCE_COLOR: "0" }, false],
  [{ FORCE_COLOR: "false" }, false],
  [{ TERM: "dumb" }, false],
])("on a terminal with %p output is coloured: %p", async (env, coloured) => {
  const said = await doctor(env);
  expect(said).toContain("max_iovs");
  expect(said.includes(ESCAPE)).toBe(coloured);
});

test("what forbids colours is stronger than what forces them, that than the output", () => {
  const noTerminal = 99;
  expect(isColoured(noTerminal, {})).toBe(false);
  expect(isColoured(noTerminal, { FORCE_COLOR: "1" })).toBe(true);
  expect(isColoured(noTerminal, { FORCE_COLOR: "3", TERM: "dumb" })).toBe(true);
  expect(isColoured(noTerminal, { FORCE_COLOR: "1", NO_COLOR: "1" })).toBe(false);
});

test.each([
  ["xterm", true],
  ["dumb", false],
])("on a terminal %s a load has a bar, which is gone at its end: %p", async (term, has) => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-terminal-"));
  try {
    const flows = join(folder, "flows.txt");
    writeSample(flows, 1000);
    const args = ["load", flows, "--dry-run"];
    const terminal = onTerminal([MILLRACE, ...args], { env: { TERM: term } });
    await terminal.ended;
    const [bar = "", left] = terminal.text.split(`${flows} → dry run`);
    expect(left).toContain("1,000 valid of 1,000 lines");
    expect(left).not.toContain(ESCAPE);
    expect(bar.includes("100% | 1,000 flows")).toBe(has);
    // It clears its line, and nothing is left behind.
    expect(has ? bar.endsWith(`${ESCAPE}[2K`) : bar === "").toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
