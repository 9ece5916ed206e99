import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildLimit } from "../../bench/build.ts";
import { LAB_PARTS, type LabFacts, type Plan, type Run, type Variant } from "../../bench/model.ts";
import { NO_PEERS } from "../../bench/peers.ts";
import { makePlan } from "../../bench/plan.ts";
import { quickSize } from "../../bench/size.ts";
import { HAS_DPCTL } from "./lab.ts";
import { limit } from "../runner/limit.ts";

setDefaultTimeout(limit(120));

const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const FLOWS = 500;

/** The C program that represents the kernel's limit. */
const LIMIT = buildLimit(folder);
if ("missing" in LIMIT) console.error(`the C program is left out: ${LIMIT.missing}`);

const SIZE = {
  ...quickSize({ flows: FLOWS, rounds: 1, rate: 20_000 }),
  sweepSizes: [16],
  masks: [3],
  otherMasks: [20],
  orderFlows: 100,
  packetMasks: [3, 1100],
  cacheMasks: [3],
  packetPasses: 1,
};
/** Sizes of the kernel's cache that packets are measured with. */
const CACHE_SIZES = 4;

/** Every part of the suite with few flows, each program once: a process takes seconds here. */
function smallPlan(): Plan {
  const program = "value" in LIMIT ? LIMIT.value : undefined;
  const plan = makePlan(folder, LAB_PARTS, SIZE, { ...NO_PEERS, dpctl: HAS_DPCTL, limit: program });
  // Of the sweep a variant a transport.
  const all = plan.variants.filter(
    ({ part, packing: shape }) => part !== "sweep" || shape?.ack === "errors",
  );
  const programs = all.map(programOf);
  const once = all.filter((_, i) => programs.indexOf(programs[i] ?? "") === i);
  // A warm-up is the same once more: one shows that it is done.
  let warmed = false;
  const variants = once.map(({ warmUp, ...variant }): Variant => {
    if (warmUp === undefined || warmed) return variant;
    warmed = true;
    return { ...variant, warmUp };
  });
  return { ...plan, variants };
}

/** What runs; of the C program, the way in which it sends: OVS's shape is one, too. */
function programOf({ program, packing: shape, command, watched }: Variant): string {
  if (program === "C") return `C, ${shape?.transport}`;
  return `${watched} ${command.join(" ")}`;
}

test("every variant of the suite installs what it is to, and the same flows", () => {
  const plan = smallPlan();
  const out = join(folder, "runs.jsonl");
  writeFileSync(join(folder, "plan.json"), JSON.stringify(plan));
  writeFileSync(out, "");
  const inside = join(import.meta.dir, "../../bench/lab/main.ts");
  const startedAt = performance.now();
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
  const ofOvs = "peers: C in the shape of nl_transact_multiple";
  expect(own.has(ofOvs)).toBe("value" in LIMIT);
  // Some variants give a run a verb, or a size of batch and a loop; each of the others gives one.
  const runsOf = ({ id }: Variant): number => {
    if (id === "verbs") return 5;
    if (id === "churn") return 4;
    if (id === "packets-all")
      return 1 + SIZE.packetMasks.length + SIZE.cacheMasks.length * CACHE_SIZES;
    if (id === "sync") return 7;
    if (id === "sync-diff") return 3;
    return id === "latency" || id === "latency-c" ? 2 * SIZE.latencySizes.length : 1;
  };
  expect(own.size).toBe(plan.variants.reduce((sum, variant) => sum + runsOf(variant), 0));
  for (const run of runs) expect(run.wholeSeconds).toBeGreaterThan(0);
  const packets = runs.filter(({ part }) => part === "churn");
  expect(packets.map(({ lost = 0, missed = 0 }) => [lost, missed])).toEqual(
    packets.map(() => [0, 0]),
  );
  // The runs of one process have one figure between them.
  const processes = new Set(runs.map((run) => run.wholeSeconds ?? 0));
  const wholeSeconds = [...processes].reduce((sum, seconds) => sum + seconds, 0);
  expect(wholeSeconds).toBeLessThan((performance.now() - startedAt) / 1000);
  const watched = runs.filter(({ collectorPausesMs }) => collectorPausesMs !== undefined);
  expect(watched.map(({ part }) => part)).toEqual(["growth"]);
  const proven = runs.filter(({ work }) => work === `sample ${FLOWS}`);
  expect(proven.length).toBeGreaterThanOrEqual(6);
  expect(new Set(proven.map(({ workHash }) => workHash)).size).toBe(1);
  expect(proven[0]?.workHash).toStartWith(`${FLOWS}:`);
});
