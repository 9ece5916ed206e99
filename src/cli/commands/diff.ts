import { Command, Option } from "commander";
import { Flow } from "../../flow/flow.ts";
import { InventedPorts, type NumberedPort, type PortNames, portNamesOf } from "../../flow/ports.ts";
import type { ByteSource } from "../../format/source.ts";
import { type DiffOptions, diffTables, type FlowDifference } from "../../state/diff.ts";
import { type OpenSet, openSet } from "../../state/open-set.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { DifferenceCounts, differenceLines } from "../diff-output.ts";
import { Exit, UsageError } from "../exit.ts";
import { withExamples } from "../help.ts";
import { outputEnded, printJsonLine, printLines } from "../output.ts";
import { wordList } from "../option-value.ts";
import { OWNER_OPTION } from "../owner-option.ts";
import {
  askWhereTyped,
  compareNamed,
  datapathIn,
  type NamedDatapath,
  type NamedPorts,
  openFile,
  portsBeside,
  portsOfNamed,
  readNamed,
  readSource,
  SET_HELP,
  type SetArgument,
} from "../set-argument.ts";
import { Waiting } from "../waiting.ts";

// `millrace diff`: how two sets of flows differ.

type Options = { ignore: readonly Ignored[]; stat?: true; owner?: string; json?: true };

type Ignored = "stats" | "ufid" | "order";

const HELP_AFTER = `${SET_HELP}
Two flows are the same if they match the same packets. A line with - is a flow of A, a line with +
a flow of B: flows that the other set lacks, and flows with other actions or another given UFID.
If stats are not ignored, packets and bytes of two datapaths are compared. A file may name ports of
the datapath or the snapshot with which it is compared, or give their numbers.
Exit status: 0 the sets are equal, 1 they differ, 2 or more an error.`;

/** `millrace diff`. */
export function diffCommand(): Command {
  return withExamples(
    new Command("diff")
      .description("Show how two sets of flows differ.")
      .argument("<A>", "a set of flows")
      .argument("<B>", "another set of flows")
      .addOption(
        new Option(
          "--ignore <LIST>",
          "what not to compare: stats, ufid, or both (stats,ufid); or none",
        )
          .argParser(wordList("--ignore", ["stats", "ufid", "order"], true))
          .default(["stats"], "stats"),
      )
      .option("--stat", "count differences by mask and actions")
      .option(...OWNER_OPTION)
      .option("--json", "one object per line: the kind, and the flow before and after")
      .addHelpText("after", HELP_AFTER)
      .action(run),
    "millrace diff flows.txt dp:lab0",
    "millrace diff dp:lab0 dp:blue/lab1 --stat",
    "millrace diff monday.set tuesday.set --ignore ufid --json",
  );
}

async function run(a: string, b: string, options: Options): Promise<void> {
  using signals = new EndingSignals();
  const stats = !options.ignore.includes("stats");
  if (stats && (datapathIn(a) === undefined || datapathIn(b) === undefined)) {
    throw new UsageError("files have no statistics to compare: add stats to --ignore");
  }
  if (a === "-" && b === "-") throw new UsageError("only one set can be standard input");
  using waiting = new Waiting();
  const { owner } = options;
  const { signal } = signals;
  const compared = { ufid: !options.ignore.includes("ufid"), stats };
  const { differences, ...ports } = await compareBoth(a, b, { compared, owner, signal, waiting });
  waiting.clear();
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

/** How both sets are read and compared. */
type Reading = {
  readonly compared: DiffOptions;
  readonly owner: string | undefined;
  readonly signal: AbortSignal;
  readonly waiting: Waiting;
};

/** How two sets differ, and the ports of each. */
type Compared = {
  readonly differences: Iterable<FlowDifference>;
  readonly before: PortNames;
  readonly after: PortNames;
};

// Reads both sets, so that a port has the same number in both: that in the datapath, if one side is
// one, or in a snapshot. Of a datapath that is the second one, only flows that differ are kept.
async function compareBoth(a: string, b: string, reading: Reading): Promise<Compared> {
  const { compared, waiting } = reading;
  // A missing file is reported before a datapath is dumped.
  const [left, right] = [fileOf(a), fileOf(b)];
  const first = await openSide(a, left, reading);
  const second = await openSide(b, right, reading);
  const shared = new InventedPorts([...portsIn(first), ...portsIn(second)]);
  const before = await readSide(first, second, shared, reading);
  if (!("datapath" in second)) {
    const after = await readSide(second, first, shared, reading);
    const differences = diffTables(before.table, after.table, compared);
    return { differences, before: before.ports, after: after.ports };
  }
  const comparison = compareNamed(before.table, second.datapath, waiting, compared);
  const after = portNamesOf(second.numbered);
  return { differences: comparison.differences(), before: before.ports, after };
}

function fileOf(argument: string): ByteSource | undefined {
  return datapathIn(argument) === undefined ? openFile(argument) : undefined;
}

/** A set whose ports are known, and whose flows are not read yet. */
type Side = (NamedPorts & { readonly datapath: NamedDatapath }) | OpenSet;

async function openSide(
  argument: string,
  file: ByteSource | undefined,
  { signal }: Reading,
): Promise<Side> {
  const datapath = datapathIn(argument);
  if (datapath !== undefined) return { datapath, ...portsOfNamed(datapath) };
  askWhereTyped(argument);
  return openSet(file ?? openFile(argument), signal);
}

function portsIn(side: Side): readonly NumberedPort[] {
  return "datapath" in side ? side.numbered : (side.facts?.ports ?? []);
}

async function readSide(
  side: Side,
  other: Side,
  shared: PortNames,
  reading: Reading,
): Promise<SetArgument> {
  const { compared, waiting } = reading;
  if ("datapath" in side) return readNamed(side.datapath, waiting, compared.stats);
  const ports = "datapath" in other ? portsBeside(other.numbered, side) : shared;
  return { table: await readSource(side.source, { ...reading, ports }), ports };
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
