import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sampleLine } from "../../src/format/sample.ts";
import { limit } from "../runner/limit.ts";
import { MILLRACE, millrace, TestDatapath } from "./lab.ts";

/** How often something is killed. With everything it is 200. */
const KILLS = Number(process.env["MILLRACE_KILLS"] ?? 6);
const SEED = Number(process.env["MILLRACE_SEED"] ?? Date.now() % 1_000_000);

setDefaultTimeout(limit(60 + KILLS * 15));

const folder = mkdtempSync(join(tmpdir(), "killed-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Numbers from 0 to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const FLOWS = 20_000;

function file(name: string, first: number): string {
  const path = join(folder, name);
  const lines = Array.from({ length: FLOWS }, (_, i) => sampleLine(first + i));
  writeFileSync(
    path,
    lines.map((line, i) => ((i + first) % 7 === 0 ? line.replace(/2$/, "1") : line)).join("\n"),
  );
  return path;
}

/** Runs a command, and kills it after a while. @returns milliseconds that it ran, and whether it came to its end */
async function killed(args: readonly string[], after: number) {
  const startedAt = performance.now();
  const child = Bun.spawn([MILLRACE, ...args], { stdio: ["ignore", "ignore", "ignore"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), after);
  const status = await child.exited;
  clearTimeout(timer);
  return { took: performance.now() - startedAt, isWhole: status === 0 };
}

test(`${KILLS} times SIGKILL at a random moment, and a second run makes it whole (seed ${SEED})`, async () => {
  const random = randomFrom(SEED);
  using dp = new TestDatapath("kill1");
  const [one, two] = [file("one.txt", 0), file("two.txt", FLOWS / 2)];
  const kept = join(folder, "kept.set");
  const to = ["--dp", dp.name];
  expect(millrace(["load", two, ...to]).exitCode).toBe(0);
  expect(millrace(["snapshot", ...to, "-o", kept]).exitCode).toBe(0);
  const commands = [
    { name: "load", args: ["load", one, ...to], wanted: one, exact: false },
    { name: "sync", args: ["sync", one, ...to, "--max-change", "100"], wanted: one, exact: true },
    { name: "restore", args: ["restore", kept, ...to], wanted: kept, exact: false },
    {
      name: "sync back",
      args: ["sync", two, ...to, "--max-change", "100"],
      wanted: two,
      exact: true,
    },
  ];
  /** How long each takes, to kill it where it is at work; learnt where it came to its end. */
  const whole = new Map<string, number>();
  let cut = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const command = commands[kill % commands.length] ?? commands[0];
    if (command === undefined) break;
    const { name, args, wanted, exact } = command;
    const longest = whole.get(name) ?? 4000;
    const { took, isWhole } = await killed(args, longest * (0.2 + 0.9 * random()));
    if (isWhole) whole.set(name, took);
    else cut++;
    expect([name, millrace(args).exitCode]).toEqual([name, 0]);
    const verify = millrace(["verify", wanted, ...to, ...(exact ? ["--exact"] : [])]);
    expect([name, kill, verify.exitCode, verify.stderr]).toEqual([name, kill, 0, ""]);
  }
  expect(cut).toBeGreaterThan(0);
});
