import { Command, Option } from "commander";
import { colours as pc } from "../colour.ts";
import { type ByteSource, pathSource, standardInput } from "../../format/source.ts";
import { FLOW_FORMATS, type FlowFormat } from "../../format/detect.ts";
import type { FeedOrder } from "../../format/open-feed.ts";
import type { WorkerCount } from "../../load/file-feed.ts";
import { type LoadReport, verdictOf } from "../../load/report.ts";
import { type Batching, completeBatching, DEFAULT_BATCHING } from "../../load/send/batching.ts";
import type { LoadTarget } from "../../load/send/connection.ts";
import { startLoad, type StartOptions } from "../../load/start-load.ts";
import type { AckMode, Transport } from "../../netlink/transactor.ts";
import type { FlowVerb } from "../../ovs/flow-request.ts";
import { iovMax } from "../../sys/libc.ts";
import { EndingSignals } from "../../sys/signals.ts";
import type { AfterLoad } from "../after-load.ts";
import type { LoadRecord } from "../load-journal.ts";
import { failureText } from "../excerpt.ts";
import { openExceptionLog } from "../exception-log.ts";
import { EXIT_OF, UsageError } from "../exit.ts";
import { notesText, orderText } from "../line-notes.ts";
import {
  askForFlows,
  bytes,
  complain,
  count,
  counted,
  latencies,
  printJson,
  writeOut,
} from "../output.ts";
import { withNamespace } from "../namespace-option.ts";
import { numberUpTo, wordList } from "../option-value.ts";
import { OWNER_OPTION } from "../owner-option.ts";
import { loadProgressBar } from "../progress.ts";
import { isTyped } from "../terminal.ts";
import { UnknownPorts } from "../unknown-ports.ts";

// `millrace load`: turns options into a load, and prints its report as text or JSON.

type Options = {
  dp?: string;
  format: FlowFormat | "auto";
  mode: FlowVerb;
  onError: "continue" | "stop" | "rollback";
  verify?: true;
  resume?: true;
  journal: boolean;
  tolerate: NonNullable<StartOptions["tolerate"]>;
  ack: AckMode;
  transport: Transport;
  batchFlows?: number;
  batchBytes: number;
  workers: WorkerCount;
  maxRate?: number;
  order: FeedOrder;
  ufid: boolean;
  owner?: string;
  force?: true;
  dryRun?: true;
  anyPort?: true;
  errors?: string;
  json?: true;
};

const NAMES_NEED_PORTS =
  "names of ports need a datapath: --dp NAME reads its ports, --any-port accepts every name";

/** How many exceptions the text report shows; `--json` and `--errors` have more. */
const SHOWN_MAX = 10;

const HELP_AFTER = `
FILE has one flow per line, as ovs-dpctl add-flows reads it and ovs-dpctl dump-flows prints it:
  [add|modify|delete] [ufid:UUID] KEY ACTIONS      # a comment
It may also have one JSON object per line ('millrace dump --format jsonl' writes these), or be a
flow set ('millrace compile' makes it). Files compressed by gzip or zstd are decompressed. '-' is
standard input. A verb in a line takes precedence over --mode.

Loading the same file twice changes nothing. The kernel offers no transaction over a set of flows:
each flow is independent, and the report says what became of it. For each flow, the kernel walks
every mask that exists: --order fast sends flows of the most common masks first, unless they
overlap. In --json, p99 is null below 100 batches, p999 below 1,000.

--resume records in FILE.NAME.journal how far the load got, and removes the journal at the end. If
an earlier run was cut short, even by SIGKILL, it reads the datapath first: flows that exist are not
sent again, missing ones are.

Examples:
  millrace load flows.txt --dp lab0
  echo 'in_port(1),eth() 2' | millrace load --dp lab0
  ovs-dpctl dump-flows -m | millrace load - --dp lab1 --json
  millrace load flows.txt --dry-run`;

/** `millrace load`. */
export function loadCommand(): Command {
  const command = new Command("load")
    .description("Load flows from a file into a datapath, in packed netlink transactions.")
    .argument("[FILE]", "the flows; - is standard input", "-")
    .option("--dp <NAME>", "the datapath; --dry-run needs none")
    .addOption(
      new Option("--format <FORMAT>", "the format of FILE; auto looks at its first bytes")
        .choices(["auto", ...FLOW_FORMATS])
        .default("auto"),
    )
    .addOption(
      new Option(
        "--mode <MODE>",
        "put: create or replace; add: an existing flow is an error (EEXIST); modify: it must exist",
      )
        .choices(["put", "add", "modify", "delete"])
        .default("put"),
    )
    .addOption(
      new Option(
        "--on-error <WHAT>",
        "after a flow fails: go on; stop after its batch; or stop, and undo what was done",
      )
        .choices(["continue", "stop", "rollback"])
        .default("continue"),
    )
    .addOption(
      new Option(
        "--tolerate <ERRNOS>",
        "count as applied: EEXIST if the very same flow exists, ENOENT of a delete",
      )
        .argParser(wordList("--tolerate", ["EEXIST", "ENOENT"]))
        .default([], "none"),
    )
    .addOption(
      new Option(
        "--order <ORDER>",
        "file: the order of FILE; fast: the order that loads fastest, which reads FILE twice",
      )
        .choices(["file", "fast"])
        .default("file"),
    )
    .option("--max-rate <N>", "at most this many flows a second", numberUpTo("--max-rate", 1e9))
    .addOption(
      new Option(
        "--workers <N>",
        "extra threads: one parses, a second one also sends; auto: if it pays",
      )
        .default("auto")
        .argParser(workerCount),
    )
    .option(...OWNER_OPTION)
    .option("--no-ufid", "identify flows by their key, as ovs-dpctl does")
    .option("--force", "load even if ovs-vswitchd runs the datapath")
    .option("--verify", "at the end, dump the datapath and compare it with FILE")
    .option("--resume", "continue an earlier run with --resume that was cut short; see below")
    .option("--no-journal", "with --resume: keep no journal, for a disk without room")
    .option("--dry-run", "parse, validate and encode; send nothing")
    .option("--any-port", "with --dry-run: accept any name as a port's")
    .option("--errors <FILE>", "write every flow that failed to FILE, as JSON lines")
    .option("--json", "one JSON document");
  // What a newcomer needs comes first.
  return withBatching(withNamespace(command)).addHelpText("after", HELP_AFTER).action(run);
}

/** Adds the options for packing flows into system calls. */
function withBatching(command: Command): Command {
  return command
    .addOption(
      new Option("--ack <MODE>", "errors: one ack per datagram, and errors; each: one ack per flow")
        .choices(["errors", "each"])
        .default(DEFAULT_BATCHING.ack),
    )
    .addOption(
      new Option(
        "--transport <HOW>",
        "sendmmsg: several datagrams per system call; send: one; writev: one iovec per flow",
      )
        .choices(["sendmmsg", "send", "writev"])
        .default(DEFAULT_BATCHING.transport),
    )
    .option(
      "--batch-flows <N>",
      `flows per datagram (default: ${completeBatching().messagesPerDatagram} by sendmmsg, else ` +
        `${completeBatching({ transport: "send" }).messagesPerDatagram}); at most ${iovMax()} with writev`,
      numberUpTo("--batch-flows", 1 << 16),
    )
    .option(
      "--batch-bytes <N>",
      "bytes per datagram",
      numberUpTo("--batch-bytes", 1 << 24),
      DEFAULT_BATCHING.bytesPerDatagram,
    );
}

async function run(file: string, options: Options): Promise<void> {
  refuseConflicts(options);
  // The input is opened first, so that a missing file is reported before anything is touched. It is
  // opened only once: closing a pipe would lose its content.
  const source = file === "-" ? standardInput() : pathSource(file);
  const typed = isTyped(file);
  using signals = new EndingSignals();
  using exceptions = openExceptionLog(options.errors, file);
  using bar = await loadProgressBar(options.json === undefined && !typed);
  const kernel = options.dp === undefined ? undefined : await import("../load-target.ts");
  using place = kernel?.openTarget(options.dp ?? "");
  const target = options.dryRun || place === undefined ? "dry" : place.target;
  if (target !== "dry") kernel?.checkOwner(target, options.force === true);
  const after = target === "dry" ? undefined : await afterLoad(target, source, options);
  using record = target === "dry" ? undefined : await openRecord(target, source, options);
  if (typed) askForFlows();
  const unknown = new UnknownPorts();
  const { mode, ufid, owner = "", workers, tolerate, onError, maxRate, format, order } = options;
  const report = await startLoad(
    target,
    { source, format },
    {
      mode,
      ufid,
      owner,
      workers,
      order,
      tolerate,
      onError: onError === "rollback" ? "stop" : onError,
      batching: batchingOf(options),
      signal: signals.signal,
      onProgress: bar.update,
      ...(place === undefined
        ? unknown.accepting(options.anyPort)
        : { readPorts: place.readPorts }),
      ...(maxRate === undefined ? {} : { maxRate }),
      onException: (exception) => exceptions?.write(exception),
      ...(after === undefined ? {} : { outcomes: after.outcomes }),
      ...(record === undefined ? {} : { journal: record.resumption }),
    },
  );
  record?.end(report);
  bar[Symbol.dispose]();
  const more = await after?.end(report);
  // JSON cannot hold a thrown value; the reason describes it.
  if (options.json) printJson({ ...report, endCause: undefined, ...more });
  else {
    printReport(report, file, options);
    after?.print();
  }
  for (const note of report.withoutThreads) complain(note);
  if (unknown.asked) complain(NAMES_NEED_PORTS);
  // The reason also goes to standard error, in either form of the report.
  if (report.endReason !== "") complain(report.endReason);
  process.exitCode = EXIT_OF[verdictOf(report)];
  if (process.exitCode === EXIT_OF.applied && after?.isAsWanted === false) {
    process.exitCode = EXIT_OF.partly;
  }
}

// Loads the modules for checking the datapath only if that is requested.
async function afterLoad(
  target: LoadTarget,
  source: ByteSource,
  { onError, verify, mode, ufid, owner = "", format }: Options,
): Promise<AfterLoad | undefined> {
  const rollback = onError === "rollback";
  if (!rollback && verify === undefined) return undefined;
  const { AfterLoad } = await import("../after-load.ts");
  const told = { mode, ufid, owner };
  return new AfterLoad(target, source, { rollback, verify: verify === true, told, format });
}

async function openRecord(
  target: LoadTarget,
  source: ByteSource,
  { resume, journal, mode, ufid, owner = "", format, order }: Options,
): Promise<LoadRecord | undefined> {
  if (resume === undefined) return undefined;
  const { LoadRecord } = await import("../load-journal.ts");
  const told = { mode, ufid, owner, order };
  return LoadRecord.open(target, source, { write: journal, told, format });
}

/** @throws UsageError if options contradict one another, or if the target is missing */
function refuseConflicts(options: Options): void {
  const { dp, dryRun, workers, transport } = options;
  if (dp === undefined && dryRun === undefined) {
    throw new UsageError("--dp NAME is missing (or --dry-run, which sends nothing)");
  }
  if (dryRun && (options.verify || options.onError === "rollback")) {
    const option = options.verify ? "--verify" : "--on-error rollback";
    throw new UsageError(`${option} needs a datapath, and --dry-run sends nothing`);
  }
  if (options.resume && (dryRun || options.onError === "rollback")) {
    const other = dryRun ? "--dry-run" : "--on-error rollback";
    throw new UsageError(`--resume continues a load, which ${other} does not`);
  }
  if (!options.journal && !options.resume) {
    throw new UsageError("--no-journal goes with --resume: a load keeps no journal without it");
  }
  if (options.verify && (options.mode === "delete" || options.mode === "modify")) {
    throw new UsageError("--verify compares flows that are put or added");
  }
  if (options.anyPort && !dryRun) {
    throw new UsageError("--any-port is for --dry-run: a datapath knows its names");
  }
  if (workers === 2 && transport !== "sendmmsg") {
    throw new UsageError(`--workers 2 sends by sendmmsg, not by --transport ${transport}`);
  }
}

function batchingOf({ ack, transport, batchBytes, batchFlows }: Options): Partial<Batching> {
  return {
    ack,
    transport,
    bytesPerDatagram: batchBytes,
    ...(batchFlows === undefined ? {} : { messagesPerDatagram: batchFlows }),
  };
}

function printReport(report: LoadReport, file: string, options: Options): void {
  const from = file === "-" ? "standard input" : file;
  // If the kernel takes no more flows, one line says why.
  const shown = report.ended === "fatal" ? [] : report.errors.slice(0, SHOWN_MAX);
  for (const exception of shown) writeOut(failureText(exception, pc.red(exception.state)));
  const { present: found, absent: gone } = report.reconciled;
  const told = report.rejected + report.refused + report.unknown + found + gone;
  if (told > SHOWN_MAX && report.ended !== "fatal") {
    writeOut(`  … and ${count(told - SHOWN_MAX)} more: --errors FILE or --json shows them\n`);
  }
  const parts = [
    options.dryRun
      ? `${count(report.encoded)} valid`
      : pc.green(`${count(report.applied)} applied`),
    report.rejected > 0 ? pc.red(`${count(report.rejected)} rejected`) : "",
    report.refused > 0 ? pc.red(`${count(report.refused)} refused`) : "",
    found + gone > 0 ? `${count(found)} read back present, ${count(gone)} absent` : "",
    report.unknown > 0 ? pc.red(`${count(report.unknown)} unknown`) : "",
  ].filter((part) => part !== "");
  const goal = options.dryRun ? "dry run, nothing sent" : options.dp;
  writeOut(`${from} → ${goal}: ${parts.join(", ")} of ${counted(report.lines, "line")}\n`);
  writeOut(notesText(report));
  if (report.resumed > 0) {
    writeOut(`${counted(report.resumed, "flow")} of the earlier run exist: not sent again\n`);
  }
  if (report.order !== undefined) writeOut(orderText(report.order));
  if (report.batches > 0 && !options.dryRun) printFigures(report);
  if (report.ended === "interrupted") writeOut("interrupted: lines after these were not read\n");
  if (report.ended === "stopped") writeOut("stopped at the first failure, as requested\n");
}

function printFigures(report: LoadReport): void {
  const { applied, flowsPerSecond, seconds } = report;
  const each = `${count(flowsPerSecond)} flows/s, ${((seconds * 1e6) / applied).toFixed(2)} µs a flow`;
  writeOut(
    `  rate     ${applied > 0 ? each : "none applied"} ` +
      `(${seconds.toFixed(3)} s; ${report.wholeSeconds.toFixed(3)} s with reading and parsing)\n` +
      `  batches  ${count(report.batches)}, by ${counted(report.senders, "socket")}; latency ` +
      `${latencies(report.batchLatencyMicroseconds)}\n` +
      `  calls    ${counted(report.systemCalls, "system call")}, ${bytes(report.bytes)} of netlink; ` +
      (report.reads > 0 ? `${counted(report.reads, "flow")} read back; ` : "") +
      `peak memory ${bytes(report.peakResidentBytes)}\n`,
  );
}

function workerCount(text: string): WorkerCount {
  if (text === "auto") return text;
  for (const threads of [0, 1, 2] as const) if (text === String(threads)) return threads;
  throw new UsageError(`--workers: found "${text}", expected auto, 0, 1 or 2`);
}
