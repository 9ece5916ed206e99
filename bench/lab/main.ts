/**
 * The suite's inside: runs each program of a plan in a process of its own, in alternating order, several
 * rounds, on the kernel that runs. Appends one JSON line a run to OUT.
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

/** The file whose flows are in the kernel, where it is one that a variant wants to find there. */
const state = { installed: "" };
using channel = new OvsChannel();
const datapath = handleOf(channel, createDatapath(channel, name));
addPort(datapath, "bench1", { type: "internal" });
addPort(datapath, "bench2", { type: "internal" });
console.error(`kernel ${release()}`);
appendLine(out, { kind: "lab", labKernel: release(), labCpus: cpus().length });
try {
  const failed = runOnce(plan.warmUp, -1).find((run) => run.failed !== undefined)?.failed;
  // What cannot even be warmed up measures nothing.
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

/** Brings the kernel to what the variant wants to find. */
function prepare(variant: Variant): void {
  const wanted = variant.before ?? "empty";
  const { flows } = infoOf(datapath).stats;
  if (wanted === "empty") {
    if (flows > 0) flushFlows(datapath);
    state.installed = "";
    return;
  }
  // The flows of the variant before may be there already.
  const { flowsFile = plan.flowsFile } = variant;
  if (flows === variant.flows && state.installed === flowsFile) return;
  flushFlows(datapath);
  installPacked(datapath, flowsFile);
  state.installed = flowsFile;
}

/** Runs a program that does not warm itself on a few flows. @returns why it failed */
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
  // Counting proves the work of every round, the hash that of the first: it takes a dump of all flows.
  const proof =
    variant.work === undefined || round !== 0
      ? {}
      : { work: variant.work, workHash: workHash(datapath) };
  if (report === undefined) return [say({ ...base, ...proof })];
  const { steps, ...figures } = pick(report);
  if (steps === undefined) return [say({ ...base, ...figures, ...proof })];
  return steps.map((step) => say({ ...base, ...step, ...proof }));
}

/** What a report says beyond the suite's own figures is dropped: `load --json` lists much more. */
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
    // Its own VmHWM: what the kernel tells the parent of a child is at least the parent's own peak.
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
