import { Command, Option } from "commander";
import { Flow } from "../../flow/flow.ts";
import { InventedPorts, type PortNames } from "../../flow/ports.ts";
import { type DiffOptions, diffTables, type FlowDifference } from "../../state/diff.ts";
import type { FlowTable } from "../../state/flow-table.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { DifferenceCounts, differenceLines } from "../diff-output.ts";
import { Exit, UsageError } from "../exit.ts";
import { withExamples } from "../help.ts";
import { outputEnded, printJsonLine, printLines } from "../output.ts";
import { OWNER_OPTION } from "../owner-option.ts";
import {
  askWhereTyped,
  compareNamed,
  datapathIn,
  openFile,
  portsOfNamed,
  readNamed,
  readSource,
  SET_HELP,
} from "../set-argument.ts";

// `millrace diff`: how two sets of flows differ.

type Options = { ignore: ReadonlySet<Ignored>; stat?: true; owner?: string; json?: true };

type Ignored = "stats" | "ufid" | "order";

const HELP_AFTER = `${SET_HELP}
Flows are one where they match the same packets. What differs is printed with - and +: a flow of A
alone, a flow of B alone, or both where its actions are others, or a UFID that it was given.
With 'stats' not ignored, packets and bytes are compared, of two datapaths. Files are read with
the names of the other side's ports.
Exit status: 0 the sets are equal, 1 they differ, 2 and more trouble.`;

/** `millrace diff`. */
export function diffCommand(): Command {
  return withExamples(
    new Command("diff")
      .description("Show how two sets of flows differ.")
      .argument("<A>", "a set of flows")
      .argument("<B>", "another one")
      .addOption(
        new Option("--ignore <LIST>", "what is not compared: stats, ufid, with a comma; none")
          .argParser(ignoredOf)
          .default(new Set<Ignored>(["stats", "order"]), "stats"),
      )
      .option("--stat", "counts by mask and actions, instead of flows")
      .option(...OWNER_OPTION)
      .option("--json", "an object a line: its kind, and the flow before and after")
      .addHelpText("after", HELP_AFTER)
      .action(run),
    "millrace diff flows.txt dp:lab0",
    "millrace diff dp:lab0 dp:blue/lab1 --stat",
    "millrace diff monday.set tuesday.set --ignore ufid --json",
  );
}

async function run(a: string, b: string, options: Options): Promise<void> {
  using signals = new EndingSignals();
  const stats = !options.ignore.has("stats");
  if (stats && (datapathIn(a) === undefined || datapathIn(b) === undefined)) {
    throw new UsageError("files have no statistics to compare: add stats to --ignore");
  }
  if (a === "-" && b === "-") throw new UsageError("standard input cannot be both sets");
  const compared = { ufid: !options.ignore.has("ufid"), stats };
  const { differences, ...ports } = await compareBoth(a, b, options, compared, signals.signal);
  const style = { ...ports, statistics: stats };
  const counts = options.stat ? new DifferenceCounts() : undefined;
  let isEqual = true;
  for (const difference of differences) {
    isEqual = false;
    if (counts !== undefined) counts.add(difference, style);
    else if (options.json) printJsonLine(jsonOf(difference));
    else printLines(differenceLines(difference, style));
    if (outputEnded()) break;
  }
  if (!isEqual) counts?.print();
  process.exitCode = isEqual ? Exit.ok : Exit.someFailed;
}

/** How two sets differ, and the ports of each. */
type Compared = {
  readonly differences: Iterable<FlowDifference>;
  readonly before: PortNames;
  readonly after: PortNames;
};

// Reads both sets; of a datapath that is the second one, only flows that differ are kept. If one
// side is a datapath, a file's port names are its ports.
async function compareBoth(
  a: string,
  b: string,
  { owner }: Options,
  compared: DiffOptions,
  signal: AbortSignal,
): Promise<Compared> {
  const [first, second] = [datapathIn(a), datapathIn(b)];
  // A missing file is reported before a datapath is dumped.
  const left = first === undefined ? openFile(a) : undefined;
  const right = second === undefined ? openFile(b) : undefined;
  const names = second === undefined ? undefined : portsOfNamed(second);
  const held = first === undefined ? undefined : readNamed(first, compared.stats);
  const ports = held?.ports ?? names ?? new InventedPorts();
  const read = async (file: string, source = openFile(file)): Promise<FlowTable> => {
    askWhereTyped(file);
    return readSource(source, { owner, ports, signal });
  };
  const before = held?.table ?? (await read(a, left));
  const differences =
    second === undefined
      ? diffTables(before, await read(b, right), compared)
      : compareNamed(before, second, compared).differences();
  return { differences, before: ports, after: names ?? ports };
}

function jsonOf(difference: FlowDifference): object {
  const { kind } = difference;
  return {
    kind,
    ...(kind === "changed" ? { what: difference.what } : {}),
    ...(kind === "added" ? {} : { before: Flow.fromParts(difference.before) }),
    ...(kind === "removed" ? {} : { after: Flow.fromParts(difference.after) }),
  };
}

function ignoredOf(text: string): ReadonlySet<Ignored> {
  const ignored = new Set<Ignored>();
  if (text === "none") return ignored;
  for (const word of text.split(",")) {
    if (word !== "stats" && word !== "ufid" && word !== "order") {
      throw new UsageError(`--ignore: found "${word}", expected stats, ufid, order or none`);
    }
    ignored.add(word);
  }
  return ignored;
}
