/**
 * How long a flow takes with `ovs-dpctl add-flow`, one process per flow, one after another. Prints
 * one line of JSON.
 *
 *   bun bench/lab/latency-dpctl.ts DATAPATH FLOWS
 */
import { createHistogram } from "node:perf_hooks";
import { sampleLine } from "../../src/format/sample.ts";
import { batchLatency } from "../../src/load/report.ts";
import { runProgram } from "../program.ts";

const [name = "", flows = ""] = process.argv.slice(2);
const latency = createHistogram();
const startedAt = Bun.nanoseconds();
for (let i = 0; i < Number(flows); i++) {
  const [match = "", actions = ""] = sampleLine(i).split(" ");
  const sentAt = Bun.nanoseconds();
  const { failed } = runProgram(["ovs-dpctl", "add-flow", name, match, actions]);
  if (failed !== undefined) throw new Error(failed);
  latency.record(Math.max(1, Bun.nanoseconds() - sentAt));
}
const seconds = (Bun.nanoseconds() - startedAt) / 1e9;
console.log(JSON.stringify({ seconds, batchLatencyMicroseconds: batchLatency(latency) }));
