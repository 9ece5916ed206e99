import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LAB_PARTS, type LabFacts, type Plan, type Run } from "../../bench/model.ts";
import { NO_PEERS } from "../../bench/peers.ts";
import { makePlan } from "../../bench/plan.ts";
import { quickSize } from "../../bench/size.ts";
import { HAS_DPCTL } from "./lab.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const FLOWS = 500;

/** Every part of the suite with few flows: a process a variant takes most of a second here. */
function smallPlan(): Plan {
  const size = { ...quickSize({ flows: FLOWS, rounds: 1 }), sweepSizes: [16], masks: [1, 3] };
  const plan = makePlan(folder, LAB_PARTS, size, { ...NO_PEERS, dpctl: HAS_DPCTL });
  // Of the sweep a variant a transport.
  const variants = plan.variants.filter(
    ({ part, shape }) => part !== "sweep" || shape?.ack === "errors",
  );
  return { ...plan, variants };
}

test("every variant of the suite installs what it is to, and the same flows", () => {
  const plan = smallPlan();
  const out = join(folder, "runs.jsonl");
  writeFileSync(join(folder, "plan.json"), JSON.stringify(plan));
  writeFileSync(out, "");
  const inside = join(import.meta.dir, "../../bench/lab/main.ts");
  const child = Bun.spawnSync([process.execPath, inside, join(folder, "plan.json"), out], {
    stderr: "pipe",
  });
  expect(child.stderr.toString()).not.toContain("error:");
  expect(child.exitCode).toBe(0);
  const runs = readFileSync(out, "utf8")
    .trim()
    .split("\n")
    .map((line): Run | LabFacts => JSON.parse(line))
    .filter((line): line is Run => line.kind === "run");
  expect(runs.filter(({ failed }) => failed !== undefined)).toEqual([]);
  expect(new Set(runs.map(({ part }) => part))).toEqual(new Set(LAB_PARTS));
  const own = new Set(runs.map(({ part, name }) => `${part}: ${name}`));
  // One variant gives a run a verb; each of the others gives one.
  const verbs = plan.variants.filter(({ name }) => name === "millrace, verbs").length;
  expect(own.size).toBe(plan.variants.length - verbs + 5 * verbs);
  for (const run of runs) expect(run.wholeSeconds).toBeGreaterThan(0);
  const proven = runs.filter(({ work }) => work === `sample ${FLOWS}`);
  expect(proven.length).toBeGreaterThanOrEqual(6);
  expect(new Set(proven.map(({ workHash }) => workHash)).size).toBe(1);
  expect(proven[0]?.workHash).toStartWith(`${FLOWS}:`);
}, 120_000);
