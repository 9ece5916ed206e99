import { rmSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { colours as pc, isPainted } from "../colour.ts";
import { sampleLine, writeSample } from "../../format/sample.ts";
import { bytesSource, fileSource } from "../../format/source.ts";
import type { LabKernel } from "../../lab/index.ts";
import { temporaryFolder } from "../../lab/trust.ts";
import { FlowDigest } from "../../load/digest.ts";
import type { LoadReport } from "../../load/report.ts";
import { type Batching, DEFAULT_BATCHING } from "../../load/send/batching.ts";
import { startLoad, startLoadSync } from "../../load/start-load.ts";
import { OvsChannel } from "../../ovs/channel.ts";
import {
  createDatapath,
  type DatapathHandle,
  deleteDatapath,
  openDatapath,
} from "../../ovs/datapath.ts";
import { dumpFlows, flushFlows } from "../../ovs/flow.ts";
import { addPort } from "../../ovs/vport.ts";
import { Exit } from "../exit.ts";
import { withExamples } from "../help.ts";
import { bytes, count, counted, latencies, writeOut } from "../output.ts";
import { loadProgressBar } from "../progress.ts";
import { StatusLine } from "../status-line.ts";

// `millrace demo`: loads flows into a lab's kernel and shows the outcome.

const DATAPATH = "demo0";
const FLOWS = 100_000;

/** Enough single transactions to know the cost of one; all of them would take most of a minute. */
const SAMPLE_FLOWS = 2000;

const SINGLE: Batching = {
  ...DEFAULT_BATCHING,
  transport: "send",
  messagesPerDatagram: 1,
  datagramsPerCall: 1,
};

type Options = { kernel: LabKernel; here?: true };

/** `millrace demo`. */
export function demoCommand(): Command {
  return withExamples(new Command("demo"), "millrace demo", "millrace demo --kernel qemu")
    .description(
      "Boot a throw-away kernel, create a datapath, load 100,000 flows from a file, read them back, " +
        "and compare the time with that of a load flow by flow.",
    )
    .addOption(
      new Option("--kernel <KERNEL>", "the lab's kernel")
        .choices(["auto", "host", "uml", "qemu"])
        .default("auto"),
    )
    .option(
      "--here",
      "run on this machine's kernel, in this network namespace; needs CAP_NET_ADMIN",
    )
    .action((options: Options) => (options.here ? demo() : demoInLab(options.kernel)));
}

async function demoInLab(kernel: LabKernel): Promise<void> {
  const { runInLab } = await import("../../lab/index.ts");
  const startedAt = performance.now();
  using status = new StatusLine("lab: ");
  const { exitCode } = await runInLab({
    kernel,
    command: ["millrace", "demo", "--here"],
    stdin: "ignore",
    // The lab's streams are pipes, so the wish for colours is passed on.
    env: isPainted ? { ...process.env, FORCE_COLOR: "1" } : process.env,
    onProgress: status.say,
    onWaiting: status.wait,
    onStart: status.clear,
  });
  const seconds = (performance.now() - startedAt) / 1000;
  writeOut(pc.dim(`the lab is gone again; ${seconds.toFixed(1)} s in all\n`));
  process.exitCode = exitCode;
}

async function demo(): Promise<void> {
  const folder = temporaryFolder("millrace-demo-");
  using channel = new OvsChannel();
  let created = false;
  try {
    createDatapath(channel, DATAPATH);
    created = true;
    const datapath = openDatapath(channel, DATAPATH);
    addPort(datapath, "demo1", { type: "internal" });
    addPort(datapath, "demo2", { type: "internal" });
    const file = join(folder, "flows.txt");
    writeSample(file, FLOWS);
    step(`a datapath with two ports, and a file of ${count(FLOWS)} flows`);
    writeOut(pc.dim(`    ${sampleLine(0)}\n`));

    const single = await loadSingly(datapath);
    step("flow by flow, a system call for each and one for its reply:");
    rate(single);

    const report = await loadFile(datapath, file);
    step(
      `packed, ${DEFAULT_BATCHING.messagesPerDatagram} flows a datagram, ${DEFAULT_BATCHING.datagramsPerCall} datagrams a system call:`,
    );
    rate(report);
    writeOut(
      `    ${count(report.applied)} applied, ${report.rejected} rejected, ${report.refused} refused; ` +
        `${counted(report.batches, "batch", "batches")}, ${latencies(report.batchLatencyMicroseconds)}; ` +
        `${bytes(report.bytes)} of netlink\n`,
    );

    const held = digestOfDatapath(datapath);
    const same = held.equals(digestOfFile(file));
    const verdict = same ? "the very flows of the file" : pc.red("NOT the flows of the file");
    step(`read back from the kernel, and compared: ${counted(held.flows, "flow")}, ${verdict}`);
    compare(single, report);
    if (report.applied !== FLOWS || !same) process.exitCode = Exit.internal;
  } finally {
    if (created) deleteDatapath(channel, DATAPATH);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function loadSingly(datapath: DatapathHandle): Promise<LoadReport> {
  const lines = Array.from({ length: SAMPLE_FLOWS }, (_, i) => sampleLine(i)).join("\n");
  const source = bytesSource("sample", new TextEncoder().encode(lines));
  const options = { batching: SINGLE, workers: 0 } as const;
  const report = await startLoad({ datapath }, { source, format: "text" }, options);
  flushFlows(datapath);
  return report;
}

async function loadFile(datapath: DatapathHandle, file: string): Promise<LoadReport> {
  using bar = await loadProgressBar(true);
  const input = { source: fileSource(file), format: "text" } as const;
  return startLoad({ datapath }, input, {
    workers: 0,
    senders: "auto",
    onProgress: bar.update,
  });
}

function digestOfDatapath(datapath: DatapathHandle): FlowDigest {
  const digest = new FlowDigest();
  for (const flow of dumpFlows(datapath)) digest.add(flow);
  return digest;
}

function digestOfFile(file: string): FlowDigest {
  const digest = new FlowDigest();
  const input = { source: fileSource(file), format: "text" } as const;
  startLoadSync("dry", input, { onFlow: (flow) => digest.add(flow) });
  return digest;
}

function compare(single: LoadReport, packed: LoadReport): void {
  const singly = (single.seconds / single.applied) * FLOWS;
  writeOut(
    `\n  ${pc.bold(`${(singly / packed.seconds).toFixed(0)} times faster`)}: ` +
      `${packed.seconds.toFixed(2)} s, where flow by flow it would have taken ${singly.toFixed(1)} s\n`,
  );
  barOf("flow by flow", singly, singly);
  barOf("packed", packed.seconds, singly);
}

function barOf(name: string, seconds: number, longest: number): void {
  const width = Math.max(1, Math.round((seconds / longest) * 50));
  writeOut(`  ${name.padEnd(13)}${pc.cyan("█".repeat(width))} ${seconds.toFixed(2)} s\n`);
}

function rate(report: LoadReport): void {
  const each = (report.seconds * 1e6) / Math.max(1, report.applied);
  writeOut(
    `    ${counted(report.applied, "flow")} in ${report.seconds.toFixed(3)} s: ${each.toFixed(2)} µs a flow, ` +
      `${count(report.flowsPerSecond)} a second, ${counted(report.systemCalls, "system call")}\n`,
  );
}

function step(text: string): void {
  writeOut(`${pc.green("✓")} ${text}\n`);
}
