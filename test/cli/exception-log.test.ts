import { afterAll, expect, spyOn, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openExceptionLog } from "../../src/cli/exception-log.ts";
import * as output from "../../src/cli/output.ts";
import type { FlowException } from "../../src/load/outcome.ts";
import { limit } from "../runner/limit.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-errors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function exception(line: number): FlowException {
  return {
    line,
    column: 1,
    state: "refused",
    errno: 0,
    code: "EINVAL",
    reason: "why",
    text: "größe",
  };
}

function linesOf(path: string): string[] {
  return readFileSync(path, "utf8").split("\n").slice(0, -1);
}

test("lines go to the file in pieces, the last ones when it is closed", () => {
  const path = join(folder, "many");
  {
    using log = openExceptionLog(path, "-");
    log?.write(exception(1));
    expect(linesOf(path)).toEqual([]);
    for (let line = 2; line <= 3000; line++) log?.write(exception(line));
    expect(linesOf(path).length).toBeGreaterThan(1000);
  }
  const written = linesOf(path).map((text) => JSON.parse(text));
  expect(written).toEqual(Array.from({ length: 3000 }, (_, i) => exception(i + 1)));
});

test("a line is seen soon where no other one comes", async () => {
  const path = join(folder, "one");
  using log = openExceptionLog(path, "-");
  log?.write(exception(7));
  const startedAt = performance.now();
  while (linesOf(path).length === 0 && performance.now() - startedAt < limit(5))
    await Bun.sleep(20);
  expect(linesOf(path).length).toBe(1);
});

test("a file that is full is said once", () => {
  const said = spyOn(output, "complain").mockImplementation(() => undefined);
  {
    using log = openExceptionLog("/dev/full", "-");
    for (let line = 1; line <= 3000; line++) log?.write(exception(line));
  }
  expect(said.mock.calls.map(([text]) => text)).toEqual([
    expect.stringContaining("writing /dev/full: write: no space left on device"),
  ]);
  said.mockRestore();
});
