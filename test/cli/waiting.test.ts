/** What a command that takes long says meanwhile, on a terminal only. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sampleLine } from "../../src/format/sample.ts";
import { MILLRACE } from "../lab/harness.ts";
import { onTerminal } from "./on-terminal.ts";

const SOURCE = join(import.meta.dir, "../../src/cli/waiting.ts");

/** Reads a datapath for so long by its own clock, and then has something to say. */
const scriptOf = (milliseconds: number): string => `
  const { Waiting } = await import(${JSON.stringify(SOURCE)});
  let now = 0;
  performance.now = () => now;
  using waiting = new Waiting();
  const onRead = waiting.onRead("lab0");
  for (let flows = 0; flows < ${milliseconds}; flows += 10) {
    onRead(flows * 1000, 3_000_000);
    now += 10;
  }
  waiting.onSent("lab0")(1234, 5000);
  waiting.clear();
  console.log("done");
`;

const CLEAR_LINE = "\r\u001b[K";

test("what takes a while has a line on the terminal, which is gone at its end", async () => {
  const terminal = onTerminal([process.execPath, "-e", scriptOf(1200)]);
  expect(await terminal.ended).toBe(0);
  const shown = terminal.text.split(CLEAR_LINE);
  expect(shown[1]).toMatch(/^reading lab0: \d{3},000 of 3,000,000 flows$/);
  // At most every 100 ms.
  expect(shown.length).toBeLessThan(12);
  expect(shown.at(-1)).toBe("done\r\n");
});

test.each([
  ["what is done in a moment", scriptOf(100), "xterm"],
  ["a dumb terminal", scriptOf(900), "dumb"],
])("%s has none", async (_, script, term) => {
  const terminal = onTerminal([process.execPath, "-e", script], { env: { TERM: term } });
  await terminal.ended;
  expect(terminal.text).toBe("done\r\n");
});

test("without a terminal nothing is said", () => {
  const { stderr } = Bun.spawnSync([process.execPath, "-e", scriptOf(900)]);
  expect(stderr.toString()).toBe("");
});

test("a diff of long files says how far it has read", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-waiting-"));
  try {
    const file = join(folder, "flows.txt");
    const lines = Array.from({ length: 400_000 }, (_, i) => `${sampleLine(i)}\n`);
    writeFileSync(file, lines.join(""));
    const terminal = onTerminal([MILLRACE, "diff", file, file], { size: { cols: 200, rows: 24 } });
    expect(await terminal.ended).toBe(0);
    expect(terminal.text).toMatch(/reading \S+flows\.txt: \d+%, \d{2,3},\d{3} flows\r/);
    expect(terminal.text).toEndWith(CLEAR_LINE);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
