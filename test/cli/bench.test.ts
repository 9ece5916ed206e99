import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limit } from "../runner/limit.ts";

setDefaultTimeout(limit(60));

const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");

const temporary = mkdtempSync(join(folder, "temporary-"));

/** Starts the suite, whose temporary files are not where its results are. */
function start(results: string, ...words: string[]): Bun.Subprocess {
  return Bun.spawn([MILLRACE, "bench", ...words, "--json", join(folder, results)], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "ignore", "ignore"],
  });
}

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s ends a suite, which leaves its results and no temporary files",
  async (signal) => {
    const results = `${signal}.jsonl`;
    const child = start(results, "native", "--quick");
    // The results are opened when the suite has begun.
    while (!readdirSync(folder).includes(results)) await Bun.sleep(5);
    expect(readdirSync(temporary)).not.toEqual([]);
    child.kill(signal);
    expect(await child.exited).not.toBe(0);
    expect([readdirSync(temporary), readdirSync(folder).includes(results)]).toEqual([[], true]);
  },
);
