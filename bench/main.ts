/**
 * The benchmark suite: the same flows by millrace and by its peers, each in a separate process, in
 * one boot of the lab; and measurements without a datapath on the host's kernel.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { Exit, exitStatusOf } from "../src/cli/exit.ts";
import { inHouseStyle, usageFault, withExamples } from "../src/cli/help.ts";
import { complain, writeError } from "../src/cli/output.ts";
import { checkOutputFile, openOutputFile, writeWholeFile } from "../src/cli/output-file.ts";
import { StatusLine } from "../src/cli/status-line.ts";
import { systemErrorText } from "../src/cli/system-error.ts";
import { LAB_KERNELS, LabError, type LabKernel, runInLab } from "../src/lab/index.ts";
import { temporaryFolder } from "../src/lab/trust.ts";
import { MillraceError } from "../src/sys/errors.ts";
import { EndingSignals } from "../src/sys/signals.ts";
import { barsOf } from "./bars.ts";
import { useBundles } from "./bundles.ts";
import { compareRuns, printComparison, PARTS_OF_LAB } from "./compare.ts";
import { describeEnvironment, loadAverage } from "./environment.ts";
import { figuresOf } from "./figures.ts";
import { LAB_PARTS, type LabPart, type Part, PARTS, type Results, type Run } from "./model.ts";
import type { MicroResult } from "./micro/suite.ts";
import { measureNative } from "./native/main.ts";
import { findPeers, type Peers } from "./peers.ts";
import { makePlan } from "./plan.ts";
import { printResults } from "./print.ts";
import { runProgram } from "./program.ts";
import { appendLine, readResults, ResultsError } from "./results-file.ts";
import { fullSize, quickSize, type Size } from "./size.ts";

const ROOT = join(import.meta.dir, "..");

type Options = {
  flows: number;
  textFlows: number;
  rounds: number;
  rate: number;
  kernel: LabKernel;
  quick?: true;
  peers?: true;
  json?: string;
  from?: string;
  compare?: string;
  report?: string;
  svg?: string;
};

function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 1e8)
    throw new InvalidArgumentError("not a number from 1 to 100,000,000");
  return value;
}

const program = new Command("millrace bench")
  .description(
    "Measure millrace against the kernel's limit and against its peers, in one lab boot, and on " +
      "this machine's own kernel. Takes its time (a million flows, several rounds, every program); " +
      "--quick shows in a minute or two that all of it works.",
  )
  .addArgument(
    new Argument("[PARTS...]", "what is measured").choices(["all", ...PARTS]).default(["all"]),
  )
  .option("--flows <N>", "flows of the comparison with the limit", count, 1_000_000)
  .option("--text-flows <N>", "lines of the text file", count, 1_000_000)
  .option("--rounds <N>", "rounds; medians are printed", count, 3)
  .option("--rate <R>", "flows a second, of the part latency", count, 20_000)
  .addOption(new Option("--kernel <KERNEL>", "the lab").choices(LAB_KERNELS).default("auto"))
  .option("--quick", "little of everything, one round: shows that all of it works, proves nothing")
  .option(
    "--peers",
    "fetch libmnl and pyroute2 too, and build OVS's own library, where they are missing",
  )
  .option("--json <FILE>", "write every run to FILE, a line of JSON each")
  .option("--from <FILE>", "measure nothing: print and draw what --json has written before")
  .option("--compare <FILE>", "tell what became slower since --json wrote FILE (exit status 1)")
  .option("--report <FILE>", "write a page with plots to FILE")
  .option("--svg <FILE>", "write the plot of the peers to FILE");
withExamples(
  program,
  "millrace bench --quick",
  "millrace bench --peers --report out.html",
  "millrace bench peers dump --flows 200000 --json runs.jsonl",
  "millrace bench --compare runs.jsonl",
);
inHouseStyle(program).exitOverride().action(main);
try {
  await program.parseAsync();
} catch (error) {
  const fault = error instanceof CommanderError ? usageFault(error) : faultOf(error);
  if (fault !== undefined) complain(`bench: ${fault}`);
  process.exitCode = statusOf(error);
}

function faultOf(error: unknown): string {
  const isKnown =
    error instanceof LabError || error instanceof ResultsError || error instanceof MillraceError;
  return isKnown ? error.message : (systemErrorText(error) ?? String(error));
}

function statusOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.ok : Exit.usage;
  return error instanceof ResultsError ? Exit.usage : exitStatusOf(error);
}

async function main(words: string[], options: Options): Promise<void> {
  // Read before anything is measured, so that a wrong file is reported at once.
  if (options.report !== undefined) checkOutputFile(options.report, "--report");
  if (options.svg !== undefined) checkOutputFile(options.svg, "--svg");
  const earlier = options.compare === undefined ? undefined : readResults(options.compare);
  const results =
    options.from === undefined ? await measure(words, options) : readResults(options.from);
  const figures = figuresOf(results);
  const bars = barsOf(results, figures);
  printResults(results.environment, figures, bars);
  if (options.report !== undefined) {
    const { writeReport } = await import("./report/page.ts");
    writeReport(options.report, results, figures, bars);
    writeError(`the report: ${options.report}\n`);
  }
  if (options.svg !== undefined) {
    const { peersSvg } = await import("./report/svg.ts");
    writeWholeFile(options.svg, "--svg", peersSvg(results.environment, figures));
  }
  const slower = earlier !== undefined && printComparison(compareRuns(earlier, results));
  const wrong = figures.proofs.some(({ differing }) => differing.length > 0);
  process.exitCode = figures.failures.length > 0 || wrong || slower ? Exit.someFailed : Exit.ok;
}

async function measure(words: string[], options: Options): Promise<Results> {
  const parts = words.includes("all") ? PARTS : PARTS.filter((part) => words.includes(part));
  const folder = temporaryFolder("millrace-bench-");
  try {
    const out = options.json ?? join(folder, "runs.jsonl");
    openOutputFile(out, "--json", "growing")[Symbol.dispose]();
    await useBundles();
    const size = options.quick ? quickSize({ ...options, rounds: 1 }) : fullSize(options);
    const peers = await findPeers(folder, {
      dpctl: parts.some((part) => PARTS_OF_LAB.has(part)),
      all: options.peers === true,
    });
    const busy = loadAverage();
    if (busy > 0.5) writeError(`the machine is busy (load ${busy}): figures will scatter\n`);
    const skipped = [...peers.skipped];
    const { textFlows, rounds, flows, seed } = size;
    const facts = { flows, textFlows, rounds, seed, parts, skipped };
    const wanted = parts.some((part) => PARTS_OF_LAB.has(part));
    const unknown = { lab: wanted ? options.kernel : "none", labKernel: "" };
    // Written first, so that an interrupted run can be read as far as it got.
    appendLine(out, { ...describeEnvironment({ ...unknown, ...facts }), unfinished: true });
    const session = { folder, out, size, peers, options };
    if (parts.includes("native")) skipped.push(...native(session));
    const lab = await measureInLab(session, parts);
    if (parts.includes("micro")) micro(folder, out, options.quick === true);
    appendLine(out, describeEnvironment({ ...lab, ...facts }));
    return readResults(out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The settings and the output of all parts. */
type Session = {
  readonly folder: string;
  /** The file that gets results. */
  readonly out: string;
  readonly size: Size;
  readonly peers: Peers;
  readonly options: Options;
};

function native({ folder, out, size, peers, options }: Session): string[] {
  writeError("on the host's own kernel\n");
  const little = options.quick === true;
  return measureNative(
    folder,
    out,
    {
      rounds: size.rounds,
      routes: little ? 2000 : 100_000,
      starts: little ? 3 : 21,
      longLines: size.textFlows * 10,
    },
    peers,
  );
}

async function measureInLab(
  { folder, out, size, peers, options }: Session,
  parts: readonly Part[],
): Promise<{ lab: string; labKernel: string }> {
  const wanted: LabPart[] = LAB_PARTS.filter((part) => parts.includes(part));
  if (wanted.length === 0) return { lab: "none", labKernel: "" };
  writeError("encoding flows\n");
  const data = join(folder, "data");
  mkdirSync(data);
  const plan = makePlan(data, wanted, size, peers);
  writeFileSync(join(folder, "plan.json"), JSON.stringify(plan));
  const inside = [join(ROOT, "bench/lab/main.ts"), join(folder, "plan.json"), resolve(out)];
  // A signal that ends the suite also ends the guest.
  using signals = new EndingSignals();
  using status = new StatusLine("lab: ");
  const result = await runInLab({
    kernel: options.kernel,
    command: [join(ROOT, "src/cli/bun"), ...inside],
    cwd: ROOT,
    stdin: "ignore",
    signal: signals.signal,
    onProgress: status.say,
    onWaiting: status.wait,
    onStart: status.clear,
  });
  if (result.exitCode !== 0) throw new Error(`the inside part ended with ${result.exitCode}`);
  return { lab: result.kernel, labKernel: result.release };
}

/** The micro-benchmarks, on the host. */
function micro(folder: string, out: string, quick: boolean): void {
  writeError("micro-benchmarks\n");
  const file = join(folder, "micro.json");
  const script = join(ROOT, "bench/micro/main.ts");
  const few = quick ? ["--milliseconds", "20"] : [];
  const base = { kind: "run", part: "micro", program: "millrace", round: 0 } as const;
  const { failed } = runProgram([process.execPath, script, "--json", file, ...few], {
    stdout: "ignore",
  });
  if (failed !== undefined) {
    const name = "micro-benchmarks";
    appendLine(out, {
      ...base,
      id: "micro-all",
      name,
      flows: 0,
      seconds: 0,
      wholeSeconds: 0,
      failed,
    });
    return;
  }
  const report: { results: readonly MicroResult[] } = JSON.parse(readFileSync(file, "utf8"));
  for (const { group, name, median } of report.results) {
    const seconds = median / 1e9;
    const run: Run = {
      ...base,
      id: `micro-${group}-${name}`,
      name: `${group}: ${name}`,
      flows: 1,
      seconds,
      wholeSeconds: seconds,
    };
    appendLine(out, run);
  }
}
