import { Command, Option } from "commander";
import type { FlowOrder } from "../../flow/mask-order.ts";
import { detect, type FlowFormat } from "../../format/detect.ts";
import type { LineNotes } from "../../format/feed.ts";
import type { FlowRefusal } from "../../format/refusals.ts";
import { FlowSetCompiler } from "../../format/flow-set/compile.ts";
import { HeldRecords } from "../../format/flow-set/order.ts";
import { FlowSetWriter } from "../../format/flow-set/writer.ts";
import { pathSource, standardInput, UnreadableInputError } from "../../format/source.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { failureText } from "../excerpt.ts";
import { Exit, UnwritableOutputError } from "../exit.ts";
import { notesText, orderText } from "../line-notes.ts";
import { OWNER_OPTION } from "../owner-option.ts";
import { askForFlows, bytes, count, counted, printJson, writeError, writeOut } from "../output.ts";
import { checkOutputFile, isInput, openFlowSet } from "../output-file.ts";
import { Slices } from "../slices.ts";
import { isTyped } from "../terminal.ts";

// `millrace compile`: text or JSON to a flow set.

type Options = {
  output: string;
  format: "auto" | Exclude<FlowFormat, "msgpack">;
  owner?: string;
  order?: "file" | "fast";
  judge: boolean;
  keepGoing?: true;
  json?: true;
};

/** How many refused lines are printed, and how many a report holds. */
const SHOWN_MAX = 10;
const REPORTED_MAX = 100;

const HELP_AFTER = `
The flows are checked as by 'millrace load --dry-run', and parsed and encoded once; 'millrace load
OUT' sends them unchanged, at the kernel's rate. Names of ports stay names. As for text, the load
decides on the verb of lines without one, on UFIDs, and on the owner; UFIDs for the owner named here
are already made. OUT has checksums: a damaged file is not loaded.

For each new flow the kernel walks all existing masks. So --order fast puts flows of the most common
mask first, but never reorders flows that overlap: the result is the same.

Examples:
  millrace compile flows.txt -o flows.set
  millrace load flows.set --dp lab0
  millrace compile - -o - < flows.jsonl | ssh lab millrace load - --dp lab0`;

/** `millrace compile`. */
export function compileCommand(): Command {
  return new Command("compile")
    .description("Compile flows into a flow set (MessagePack), which loads at the kernel's rate.")
    .argument("<FILE>", "the flows; - is standard input")
    .requiredOption("-o, --output <OUT>", "the flow set; - is standard output")
    .addOption(
      new Option("--format <FORMAT>", "of FILE").choices(["auto", "text", "jsonl"]).default("auto"),
    )
    .option(...OWNER_OPTION)
    .addOption(
      new Option(
        "--order <ORDER>",
        "the order of the flows: that of FILE, or the one that loads fastest (default, except on standard output)",
      ).choices(["file", "fast"]),
    )
    .option("--no-judge", "check only the language; the load checks the kernel's rules")
    .option("--keep-going", "leave out refused lines; otherwise one refused line means no OUT")
    .option("--json", "one JSON document; on standard error if OUT is standard output")
    .addHelpText("after", HELP_AFTER)
    .action(run);
}

async function run(file: string, options: Options): Promise<void> {
  const startedAt = performance.now();
  const input = file === "-" ? standardInput() : pathSource(file);
  checkOutput(options.output, file);
  if (isTyped(file)) askForFlows();
  const { format, source } = await detect(input);
  const chosen = options.format === "auto" ? format : options.format;
  if (chosen === "msgpack") {
    throw new UnreadableInputError(`cannot read ${source.name}: it is a flow set already`);
  }
  const errors: FlowRefusal[] = [];
  let refused = 0;
  const refuse = (refusal: FlowRefusal): void => {
    refused++;
    if (errors.length < REPORTED_MAX) errors.push(refusal);
  };
  using signals = new EndingSignals();
  using out = openFlowSet(options.output);
  const { order = options.output === "-" ? "file" : "fast" } = options;
  const held = order === "fast" ? new HeldRecords(out.write) : undefined;
  let writer = new FlowSetWriter(held?.write ?? out.write, options.owner);
  const compiler = new FlowSetCompiler(source, chosen, writer, refuse, { judges: options.judge });
  await compileAll(compiler, signals.signal);
  const interrupted = signals.signal.aborted;
  const written = !interrupted && (refused === 0 || options.keepGoing === true);
  // Without its last record a set is incomplete, even if parts of it were already written.
  let ordered: FlowOrder | undefined;
  if (written) {
    compiler.finish();
    ordered = held?.finish(
      compiler.line,
      () => (writer = new FlowSetWriter(out.write, options.owner, "masks")),
    );
    out.keep();
  }
  const { flows, chunks } = writer;
  const seconds = (performance.now() - startedAt) / 1000;
  const report = {
    flows,
    refused,
    lines: compiler.line,
    ...compiler.notes,
    chunks,
    bytes: writer.bytes,
    written,
    order: ordered ?? null,
    seconds,
  };
  print({ ...report, errors }, file, options, out.isStandardOutput);
  if (interrupted) process.exitCode = Exit.interrupted;
  else process.exitCode = refused > 0 ? Exit.someFailed : Exit.ok;
}

async function compileAll(compiler: FlowSetCompiler, signal: AbortSignal): Promise<void> {
  const slices = new Slices();
  // Waiting for the input must be abortable.
  const aborted = new Promise<false>((resolve) => {
    signal.addEventListener("abort", () => resolve(false), { once: true });
  });
  try {
    for (;;) {
      if (!compiler.step()) {
        const filled = compiler.fill();
        if (!(filled instanceof Promise ? await Promise.race([filled, aborted]) : filled)) return;
      }
      if (slices.isOver) await slices.rest();
      if (signal.aborted) return;
    }
  } finally {
    compiler.close();
  }
}

// Reports an output that cannot be written before waiting for the input.
function checkOutput(path: string, input: string): void {
  if (path === "-") return;
  if (isInput(path, input)) {
    throw new UnwritableOutputError(`--output ${path}: it is the input itself`);
  }
  checkOutputFile(path, "--output");
}

type Report = LineNotes & {
  readonly flows: number;
  readonly refused: number;
  readonly lines: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly written: boolean;
  /** Null if nothing was written, or if the order of the file was requested. */
  readonly order: FlowOrder | null;
  readonly seconds: number;
  readonly errors: readonly FlowRefusal[];
};

// Prints the report; to standard error if standard output is the flow set.
function print(report: Report, file: string, options: Options, toError: boolean): void {
  const write = toError ? writeError : writeOut;
  if (options.json) return printJson(report, write);
  for (const refusal of report.errors.slice(0, SHOWN_MAX)) write(failureText(refusal, "refused"));
  const { flows, refused, lines, seconds } = report;
  if (refused > SHOWN_MAX) write(`  … and ${count(refused - SHOWN_MAX)} more: --json shows them\n`);
  const from = file === "-" ? "standard input" : file;
  const to = toError ? "standard output" : options.output;
  const left = refused > 0 ? `, ${count(refused)} refused` : "";
  write(`${from} → ${to}: ${counted(flows, "flow")}${left} of ${counted(lines, "line")}, `);
  write(`${bytes(report.bytes)} in ${seconds.toFixed(3)} s\n`);
  write(notesText(report));
  if (report.order !== null) write(orderText(report.order));
  if (!report.written && !toError) write(`${to} was not written\n`);
}
