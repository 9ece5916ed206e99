import { expect, test } from "bun:test";
import { join } from "node:path";
import { isColoured } from "../../src/cli/terminal.ts";
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

test("a dumb terminal gets no bar and no escapes", async () => {
  const flows = join(import.meta.dir, "../flow/corpus");
  const args = ["load", flows, "--dry-run"];
  const terminal = onTerminal([MILLRACE, ...args], { env: { TERM: "dumb" } });
  await terminal.ended;
  expect(terminal.text).toContain("it is a folder");
  expect(terminal.text).not.toContain(ESCAPE);
});
