/**
 * The part of the suite inside the lab: runs each program of a plan in a separate process, in
 * alternating order, several rounds, on the running kernel. Appends one JSON line per run to OUT.
 *
 *   bun bench/lab/main.ts PLAN.json OUT.jsonl
 */
import { readFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { createDatapath, deleteDatapath, handleOf, infoOf } from "../../src/ovs/datapath.ts";
import { flushFlows } from "../../src/ovs/flow.ts";
import { addPort } from "../../src/ovs/vport.ts";
import { collectorPauses, WATCHED } from "../collector.ts";
import type { Plan, ProgramReport, Run, Variant } from "../model.ts";
import { appendLine } from "../results-file.ts";
import { readReport, runProgram } from "../program.ts";
import { PlanInMemory } from "./data.ts";
import { installPacked } from "./install.ts";
import { workHash } from "./work-hash.ts";

const [planFile = "", out = ""] = process.argv.slice(2);
const written: Plan = JSON.parse(readFileSync(planFile, "utf8"));
using input = new PlanInMemory(written);
const { plan } = input;
const { datapath: name } = plan;

/** The file whose flows are now in the kernel, if a variant requires them. */
const state = { installed: "" };
using channel = new OvsChannel();
const datapath = handleOf(channel, createDatapath(channel, name));
addPort(datapath, "bench1", { type: "internal" });
addPort(datapath, "bench2", { type: "internal" });
console.error(`kernel ${release()}`);
appendLine(out, { kind: "lab", labKernel: release(), labCpus: cpus().length });
try {
  const failed = runOnce(plan.warmUp, -1).find((run) => run.failed !== undefined)?.failed;
  // If the warm-up fails, measuring is pointless.
  if (failed !== undefined) throw new Error(`the warm-up failed: ${failed}`);
  for (let round = 0; round < plan.rounds; round++) {
    const order = round % 2 === 0 ? plan.variants : plan.variants.toReversed();
    for (const variant of order) {
      if (round >= (variant.rounds ?? plan.rounds)) continue;
      for (const run of runOnce(variant, round)) appendLine(out, run);
    }
  }
} finally {
  deleteDatapath(channel, name);
}

/** Brings the kernel to the state that the variant requires. */
function prepare(variant: Variant): void {
  const wanted = variant.before ?? "empty";
  const { flows } = infoOf(datapath).stats;
  if (wanted === "empty") {
    if (flows > 0) flushFlows(datapath);
    state.installed = "";
    return;
  }
  // The previous variant may have left these flows.
  const { flowsFile = plan.flowsFile } = variant;
  if (flows === variant.flows && state.installed === flowsFile) return;
  flushFlows(datapath);
  installPacked(datapath, flowsFile);
  state.installed = flowsFile;
}

/** Warms up, with a few flows, a program that does not do so itself. @returns why it failed */
function warmUp({ warmUp: command }: Variant): string | undefined {
  if (command === undefined) return undefined;
  flushFlows(datapath);
  const { failed } = runProgram(command, { stdout: "ignore" });
  flushFlows(datapath);
  return failed;
}

function runOnce(variant: Variant, round: number): Run[] {
  const cold = warmUp(variant);
  prepare(variant);
  const ended = runProgram(variant.command, variant.watched ? WATCHED : {});
  const { wholeSeconds, stdout, failed: broken } = ended;
  const pauses = variant.watched ? collectorPauses(ended.stderr) : undefined;
  const { flows } = infoOf(datapath).stats;
  const base = {
    kind: "run" as const,
    part: variant.part,
    id: variant.id,
    name: variant.name,
    program: variant.program,
    round,
    flows: variant.flows,
    wholeSeconds,
    seconds: wholeSeconds,
    ...(variant.packing === undefined ? {} : { packing: variant.packing }),
    ...(variant.masks === undefined ? {} : { masks: variant.masks }),
    ...(pauses === undefined ? {} : { collectorPausesMs: pauses }),
  };
  const report = variant.reports ? readReport(stdout) : undefined;
  const failed =
    (cold === undefined ? broken : `warm-up: ${cold}`) ??
    (flows === variant.leaves ? undefined : `${flows} flows of ${variant.leaves} in the kernel`) ??
    (variant.reports && report === undefined ? "it prints no report" : undefined) ??
    (variant.watched && pauses === undefined ? "its collector tells nothing" : undefined);
  if (failed !== undefined) {
    console.error(`${variant.name}: ${failed}`);
    return [{ ...base, failed }];
  }
  // A count proves the work of every round; the hash, which takes a dump of all flows, that of the
  // first.
  const proof =
    variant.work === undefined || round !== 0
      ? {}
      : { work: variant.work, workHash: workHash(datapath) };
  if (report === undefined) return [say({ ...base, ...proof })];
  const { steps, ...figures } = pick(report);
  if (steps === undefined) return [say({ ...base, ...figures, ...proof })];
  return steps.map((step) => say({ ...base, ...step, ...proof }));
}

/** Keeps only the suite's figures of a report: `load --json` has much more. */
function pick(report: ProgramReport): ProgramReport {
  const { seconds, systemCalls, datagrams, bytes } = report;
  const { batchLatencyMicroseconds, tenths, peakResidentBytes, steps } = report;
  return {
    seconds,
    ...(systemCalls === undefined ? {} : { systemCalls }),
    ...(datagrams === undefined ? {} : { datagrams }),
    ...(bytes === undefined ? {} : { bytes }),
    ...(batchLatencyMicroseconds === undefined ? {} : { batchLatencyMicroseconds }),
    ...(tenths === undefined ? {} : { tenths }),
    // The program's VmHWM: the kernel's figure for a child is at least the parent's peak.
    ...(peakResidentBytes === undefined || peakResidentBytes === 0 ? {} : { peakResidentBytes }),
    ...(steps === undefined ? {} : { steps }),
  };
}

function say(run: Run): Run {
  const each = (run.seconds * 1e6) / Math.max(1, run.flows);
  console.error(
    `round ${run.round + 1}  ${run.name.padEnd(52)} ${each.toFixed(2).padStart(8)} µs a flow` +
      `  ${run.wholeSeconds.toFixed(1)} s`,
  );
  return run;
}
