import { Command, Option } from "commander";
import { colours as pc } from "../colour.ts";
import { type ByteSource, pathSource, standardInput } from "../../format/source.ts";
import { FLOW_FORMATS, type FlowFormat } from "../../format/detect.ts";
import type { FeedOrder } from "../../format/open-feed.ts";
import type { WorkerCount } from "../../load/file-feed.ts";
import type { FlowException } from "../../load/outcome.ts";
import { type LoadReport, verdictOf } from "../../load/report.ts";
import { type Batching, completeBatching, DEFAULT_BATCHING } from "../../load/send/batching.ts";
import type { LoadTarget } from "../../load/send/connection.ts";
import { startLoad } from "../../load/start-load.ts";
import type { AckMode, Transport } from "../../netlink/transactor.ts";
import type { FlowVerb } from "../../ovs/flow-request.ts";
import { errnoNumber } from "../../sys/errno.ts";
import { iovMax } from "../../sys/libc.ts";
import { EndingSignals } from "../../sys/signals.ts";
import type { AfterLoad } from "../after-load.ts";
import { excerpt } from "../excerpt.ts";
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
import { OWNER_OPTION } from "../owner-option.ts";
import { loadProgressBar } from "../progress.ts";
import { isTyped } from "../terminal.ts";

// `millrace load`: turns options into a load, and prints its report as text or JSON.

type Options = {
  dp?: string;
  format: FlowFormat | "auto";
  mode: FlowVerb;
  onError: "continue" | "stop" | "rollback";
  verify?: true;
  tolerate: ReadonlySet<number>;
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

/** How many exceptions the text report shows; `--json` and `--errors` have more. */
const SHOWN_MAX = 10;

const HELP_AFTER = `
FILE holds a flow a line, as ovs-dpctl add-flows reads them and ovs-dpctl dump-flows prints them:
  [add|modify|delete] [ufid:UUID] KEY ACTIONS      # a comment
or a flow a line as a JSON object, as 'millrace dump --format jsonl' writes it; or it is a flow set,
as 'millrace compile' makes it. What gzip or zstd have compressed is read as what it holds.
'-' is standard input. A line's own verb wins over --mode. Loading the same file twice changes
nothing. The kernel offers no transaction over a set of flows: each one stands alone, and the
report says what became of it. For each flow the kernel walks every mask that is there: --order fast
sends flows whose mask many share first, where no packet is of both. In --json p99 is null below 100
batches, p999 below 1,000.

Examples:
  millrace load flows.txt --dp lab0
  ovs-dpctl dump-flows -m | millrace load - --dp lab1 --json
  millrace load flows.txt --dry-run`;

/** `millrace load`. */
export function loadCommand(): Command {
  const command = withBatching(new Command("load"))
    .description("Load flows from a file into a datapath, in packed netlink transactions.")
    .argument("[FILE]", "the flows; - is standard input", "-")
    .option("--dp <NAME>", "the datapath; --dry-run needs none")
    .addOption(
      new Option("--format <FORMAT>", "of FILE; auto looks at its first bytes")
        .choices(["auto", ...FLOW_FORMATS])
        .default("auto"),
    )
    .addOption(
      new Option(
        "--mode <MODE>",
        "put: create or replace; add: a flow that is there is EEXIST; modify: it must be there",
      )
        .choices(["put", "add", "modify", "delete"])
        .default("put"),
    )
    .addOption(
      new Option(
        "--on-error <WHAT>",
        "after a flow fails, go on, or stop behind its batch; rollback: and take back what was done",
      )
        .choices(["continue", "stop", "rollback"])
        .default("continue"),
    )
    .addOption(
      new Option(
        "--tolerate <ERRNOS>",
        "count as applied: EEXIST where the very same flow is there, ENOENT of a delete",
      )
        .argParser(errnoSet)
        .default(new Set<number>(), "none"),
    )
    .addOption(
      new Option(
        "--order <ORDER>",
        "that of FILE; fast: the one that loads fastest, for which FILE is read twice",
      )
        .choices(["file", "fast"])
        .default("file"),
    )
    .option("--max-rate <N>", "at most this many flows a second", positive("--max-rate", 1e9))
    .addOption(
      new Option(
        "--workers <N>",
        "threads beside the first: one parses, a second one sends, too; auto: where it pays",
      )
        .default("auto")
        .argParser(workerCount),
    )
    .option(...OWNER_OPTION)
    .option("--no-ufid", "identify flows by their key, as ovs-dpctl does")
    .option("--force", "load also where ovs-vswitchd runs the datapath")
    .option("--verify", "dump the datapath at the end, and compare it with FILE")
    .option("--dry-run", "parse, validate and encode; send nothing")
    .option("--any-port", "with --dry-run: take any name for one of a port")
    .option("--errors <FILE>", "write every flow that failed to FILE, as JSON lines")
    .option("--json", "one JSON document")
    .addHelpText("after", HELP_AFTER);
  return withNamespace(command.action(run));
}

/** Adds the options for packing flows into system calls. */
function withBatching(command: Command): Command {
  return command
    .addOption(
      new Option("--ack <MODE>", "errors: an ack a datagram, and errors; each: an ack a flow")
        .choices(["errors", "each"])
        .default(DEFAULT_BATCHING.ack),
    )
    .addOption(
      new Option(
        "--transport <HOW>",
        "sendmmsg: several datagrams a system call; send: one; writev: an iovec a flow",
      )
        .choices(["sendmmsg", "send", "writev"])
        .default(DEFAULT_BATCHING.transport),
    )
    .option(
      "--batch-flows <N>",
      `flows a datagram (default: ${completeBatching().messagesPerDatagram} by sendmmsg, else ` +
        `${completeBatching({ transport: "send" }).messagesPerDatagram}); at most ${iovMax()} with writev`,
      positive("--batch-flows", 1 << 16),
    )
    .option(
      "--batch-bytes <N>",
      "bytes a datagram",
      positive("--batch-bytes", 1 << 24),
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
  if (typed) askForFlows();
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
      tolerate: [...tolerate],
      onError: onError === "rollback" ? "stop" : onError,
      batching: batchingOf(options),
      signal: signals.signal,
      onProgress: bar.update,
      anyPort: options.anyPort === true,
      ...(maxRate === undefined ? {} : { maxRate }),
      onException: (exception) => exceptions?.write(exception),
      ...(after === undefined ? {} : { outcomes: after.outcomes }),
      ...(place === undefined ? {} : { readPorts: place.readPorts }),
    },
  );
  bar[Symbol.dispose]();
  const more = await after?.end(report);
  // JSON cannot hold a thrown value; the reason describes it.
  if (options.json) printJson({ ...report, endCause: undefined, ...more });
  else {
    printReport(report, file, options);
    after?.print();
  }
  for (const note of report.withoutThreads) complain(note);
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

/** @throws UsageError if options contradict one another, or if the target is missing */
function refuseConflicts(options: Options): void {
  const { dp, dryRun, workers, transport } = options;
  if (dp === undefined && dryRun === undefined) {
    throw new UsageError("--dp NAME is missing (or --dry-run, to send nothing)");
  }
  if (dryRun && (options.verify || options.onError === "rollback")) {
    const option = options.verify ? "--verify" : "--on-error rollback";
    throw new UsageError(`${option} wants a datapath, and --dry-run sends nothing`);
  }
  if (options.verify && (options.mode === "delete" || options.mode === "modify")) {
    throw new UsageError("--verify compares flows that are put or added");
  }
  if (options.anyPort && !dryRun) {
    throw new UsageError("--any-port is for --dry-run: a datapath has names of its own");
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
  for (const exception of shown) printException(exception);
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
  if (report.order !== undefined) writeOut(orderText(report.order));
  if (report.batches > 0 && !options.dryRun) printFigures(report);
  if (report.ended === "interrupted") writeOut("interrupted: lines after these were not read\n");
  if (report.ended === "stopped") writeOut("stopped at the first failure, as asked\n");
}

function printFigures(report: LoadReport): void {
  const each = report.applied > 0 ? (report.seconds * 1e6) / report.applied : 0;
  writeOut(
    `  rate     ${count(report.flowsPerSecond)} flows/s, ${each.toFixed(2)} µs a flow ` +
      `(${report.seconds.toFixed(3)} s; ${report.wholeSeconds.toFixed(3)} s with reading and parsing)\n` +
      `  batches  ${count(report.batches)}, by ${counted(report.senders, "socket")}; latency ` +
      `${latencies(report.batchLatencyMicroseconds)}\n` +
      `  calls    ${counted(report.systemCalls, "system call")}, ${bytes(report.bytes)} of netlink; ` +
      (report.reads > 0 ? `${counted(report.reads, "flow")} read back; ` : "") +
      `peak memory ${bytes(report.peakResidentBytes)}\n`,
  );
}

function printException(exception: FlowException): void {
  const { line, column, state, code, reason } = exception;
  writeOut(`line ${line}, column ${column}: ${pc.red(state)} (${code}): ${reason}\n`);
  writeOut(excerpt(exception));
}

function workerCount(text: string): WorkerCount {
  if (text === "auto") return text;
  for (const threads of [0, 1, 2] as const) if (text === String(threads)) return threads;
  throw new UsageError(`--workers: found "${text}", expected auto, 0, 1 or 2`);
}

function errnoSet(text: string): ReadonlySet<number> {
  const found = new Set<number>();
  for (const name of text.split(",")) {
    const errno = errnoNumber(name);
    if (errno === undefined || (name !== "EEXIST" && name !== "ENOENT")) {
      throw new UsageError(`--tolerate: found "${name}", expected EEXIST or ENOENT`);
    }
    found.add(errno);
  }
  return found;
}

function positive(option: string, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < 1 || value > max) {
      throw new UsageError(`${option}: found "${text}", expected a number from 1 to ${max}`);
    }
    return value;
  };
}
