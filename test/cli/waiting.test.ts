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
  ["what is done in a moment", scriptOf(10), "xterm"],
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

test("a diff says how far it has read a slow input", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-waiting-"));
  try {
    const [first, both] = [join(folder, "first"), join(folder, "both")];
    writeFileSync(first, `${sampleLine(1)}\n`);
    writeFileSync(both, `${sampleLine(1)}\n${sampleLine(1)}\n${sampleLine(1)}\n`);
    const go = join(folder, "go");
    // However long the program takes to start, it waits for input until it says so.
    const wait = `while [ -d ${folder} ] && [ ! -e ${go} ]; do echo '#'; sleep 0.1; done`;
    const slowly = `(cat ${first}; ${wait}; cat ${both}) | ${MILLRACE} diff - ${first}`;
    const terminal = onTerminal(["sh", "-c", slowly], { size: { cols: 200, rows: 24 } });
    await terminal.shows("reading standard input");
    writeFileSync(go, "");
    expect(await terminal.ended).toBe(0);
    const [, shown] = terminal.text.split(CLEAR_LINE);
    expect(shown).toMatch(/^reading standard input: \d flows?$/);
    // The line is gone before something else is said.
    expect(terminal.text).toContain(
      `${CLEAR_LINE}millrace: warning: 3 flows are in standard input`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
