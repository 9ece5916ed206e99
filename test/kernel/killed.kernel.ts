import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sampleLine } from "../../src/format/sample.ts";
import { fileSource } from "../../src/format/source.ts";
import { portNames } from "../../src/ovs/vport.ts";
import type { FlowTable } from "../../src/state/flow-table.ts";
import { readTable } from "../../src/state/read-table.ts";
import { verifyFlows } from "../../src/state/verify.ts";
import { limit } from "../runner/limit.ts";
import { MILLRACE, millrace, TestDatapath } from "./lab.ts";

/** How often something is killed; 200 times in the long tests. */
const KILLS = Number(process.env["MILLRACE_KILLS"] ?? 4);
const SEED = Number(process.env["MILLRACE_SEED"] ?? Date.now() % 1_000_000);

setDefaultTimeout(limit(60 + KILLS * 10));

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

const FLOWS = 10_000;

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

/** The flows of a file, as a datapath would have them. */
async function tableOf(path: string, dp: TestDatapath): Promise<FlowTable> {
  const input = { source: fileSource(path), format: "auto" } as const;
  return (await readTable(input, { ports: portNames(dp.handle) })).table;
}

test(`${KILLS} times SIGKILL at a random moment, and a second run makes it whole (seed ${SEED})`, async () => {
  const random = randomFrom(SEED);
  using dp = new TestDatapath("kill1");
  const [one, two] = [file("one.txt", 0), file("two.txt", FLOWS / 2)];
  const kept = join(folder, "kept.set");
  const to = ["--dp", dp.name];
  const startedAt = performance.now();
  expect(millrace(["load", two, ...to]).exitCode).toBe(0);
  const usual = performance.now() - startedAt;
  expect(millrace(["snapshot", ...to, "-o", kept]).exitCode).toBe(0);
  const [first, second] = [await tableOf(one, dp), await tableOf(two, dp)];
  const sync = (path: string): string[] => ["sync", path, ...to, "--max-change", "100"];
  const commands = [
    { name: "load", args: ["load", one, ...to], wanted: first, exact: false },
    { name: "sync back", args: sync(two), wanted: second, exact: true },
    { name: "load --resume", args: ["load", one, ...to, "--resume"], wanted: first, exact: false },
    { name: "restore", args: ["restore", kept, ...to], wanted: second, exact: false },
    { name: "sync", args: sync(one), wanted: first, exact: true },
  ];
  /** How long each takes, to kill it where it is at work; learnt where it came to its end. */
  const whole = new Map<string, number>();
  let cut = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const command = commands[kill % commands.length] ?? commands[0];
    if (command === undefined) break;
    const { name, args, wanted, exact } = command;
    const longest = whole.get(name) ?? usual;
    const { took, isWhole } = await killed(args, longest * (0.2 + 0.9 * random()));
    if (isWhole) whole.set(name, took);
    else cut++;
    expect([name, millrace(args).exitCode]).toEqual([name, 0]);
    const { missing, different, extra } = verifyFlows(dp.handle, wanted);
    expect([name, kill, missing, different, exact ? extra : 0]).toEqual([name, kill, 0, 0, 0]);
  }
  expect(cut).toBeGreaterThan(0);
});
