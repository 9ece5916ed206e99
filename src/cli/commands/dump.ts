import { Command, Option } from "commander";
import { FlowFilter } from "../../flow/filter/filter.ts";
import { isTextName, type NumberedPort, type PortNames, portNamesOf } from "../../flow/ports.ts";
import { FLOW_FORMATS, type FlowFormat } from "../../format/detect.ts";
import { OvsChannel } from "../../ovs/channel.ts";
import { type DatapathHandle, openDatapath } from "../../ovs/datapath.ts";
import { DumpCheck, doubtInWords } from "../../ovs/dump-check.ts";
import { dumpFlows, omitting } from "../../ovs/flow.ts";
import { dumpToLoad, type OrderedDumpOptions } from "../../ovs/ordered-dump.ts";
import { lazyPortNames, listPorts } from "../../ovs/vport.ts";
import { Exit, UsageError } from "../exit.ts";
import type { Sum } from "../flow-groups.ts";
import { printFlows } from "../flow-output.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { complain, outputEnded } from "../output.ts";
import { wordList } from "../option-value.ts";
import { WHERE_HELP, WHERE_OPTION } from "../where-option.ts";

// `millrace dump`: the flows of a datapath as text, JSON lines or a flow set.

type Options = {
  dp: string;
  format: FlowFormat;
  json?: true;
  more?: true;
  names?: true;
  stats: boolean;
  where?: string;
  groupBy?: string;
  sum?: readonly Sum[];
  summary?: true;
};

const HELP_AFTER = `${WHERE_HELP}
--group-by counts the flows that have the same values, and prints a table (with --json, one object
per line). FIELDS are those of --where, and 'actions', separated by commas.`;

/** `millrace dump`. */
export function dumpCommand(): Command {
  const command = withNamespace(
    new Command("dump")
      .description(
        "Print the flows of a datapath, as ovs-dpctl dump-flows does. Every dump loads again.",
      )
      .requiredOption("--dp <NAME>", "the datapath")
      .addOption(
        new Option(
          "--format <FORMAT>",
          "text; jsonl: one object per line; msgpack: a flow set, with UFIDs, without statistics",
        )
          .choices(FLOW_FORMATS)
          .default("text"),
      )
      .option("--json", "the same as --format jsonl: one object per line")
      .option("-m, --more", "with UFIDs and wildcarded fields; implies --names")
      .option("--names", "names of ports instead of numbers")
      .option(
        "--no-stats",
        "leave out packets, bytes and last use, so that equal flows give equal dumps",
      )
      .option(...WHERE_OPTION)
      .option("--group-by <FIELDS>", "count flows by the values of these fields")
      .option(
        "--sum <WHAT>",
        "with --group-by: add up packets, bytes, or both (packets,bytes)",
        wordList("--sum", ["packets", "bytes"]),
      )
      .option("--summary", "print the masks of the flows, and how they slow down installs")
      .addHelpText("after", HELP_AFTER)
      .action(run),
  );
  return withExamples(
    command,
    "millrace dump --dp lab0 -m",
    "millrace dump --dp lab0 --where 'ipv4.dst in 10.0.0.0/8 and packets > 100'",
    "millrace dump --dp lab0 --group-by in_port,eth_type --sum packets,bytes",
    "millrace dump --dp lab0 --format msgpack > flows.set && millrace load flows.set --dp lab1",
  );
}

async function run(given: Options, command: Command): Promise<void> {
  const options = given.json ? { ...given, format: jsonFormat(given, command) } : given;
  const isGrouped = options.groupBy !== undefined || options.sum !== undefined;
  if (isGrouped) refuseUngrouped(options);
  if (options.summary) refuseFlows(options);
  using channel = new OvsChannel();
  const datapath = openDatapath(channel, options.dp);
  const names = options.names === true || options.more === true;
  const ports = names ? namesOf(listPorts(datapath)) : undefined;
  const where =
    options.where === undefined
      ? undefined
      : FlowFilter.parse(options.where, { ports: ports ?? lazyPortNames(datapath) });
  const check = DumpCheck.of(datapath);
  const dump = { check, where: where?.ofDump() };
  if (options.summary) await printSummary(datapath, options, check);
  else if (isGrouped) await printGroups(datapath, options, { ...dump, filter: where, ports });
  else await printFlows(dumpToLoad(datapath, dump), options, ports);
  if (outputEnded()) return;
  const doubt = check.doubt();
  if (doubt === undefined) return;
  complain(`${doubtInWords(doubt)}; dump again`);
  process.exitCode = Exit.someFailed;
}

/** How groups are made. */
type Grouping = OrderedDumpOptions & {
  readonly filter: FlowFilter | undefined;
  readonly ports: PortNames | undefined;
};

// Dumps in the kernel's order, since groups cannot be loaded.
async function printGroups(
  datapath: DatapathHandle,
  { groupBy, sum, format }: Options,
  { filter, where, check, ports }: Grouping,
): Promise<void> {
  const { parseColumns } = await import("../../flow/filter/columns.ts");
  const { FlowGroups } = await import("../flow-groups.ts");
  const columns = groupBy === undefined ? [] : parseColumns(groupBy, ports);
  const groups = new FlowGroups(columns, sum ?? []);
  const omit = omitting({
    match: filter?.needs.match === true || columns.some(({ part }) => part === "match"),
    actions: filter?.needs.actions === true || columns.some(({ part }) => part === "actions"),
  });
  for (const view of dumpFlows(datapath, { omit, check })) {
    if (where === undefined || where(view)) groups.add(view);
  }
  groups.print(format === "jsonl");
}

// The names of ports. Warns about ports that can only be printed by their number in this datapath,
// which matters when the dump is loaded elsewhere.
function namesOf(ports: readonly NumberedPort[]): PortNames {
  const nameless = ports.filter(({ name }) => !isTextName(name));
  if (nameless.length > 0) {
    const which = nameless.map(({ number, name }) => `${number} (${JSON.stringify(name)})`);
    complain(
      `warning: no text can hold the names of these ports, which are printed as numbers: ` +
        which.join(", "),
    );
  }
  return portNamesOf(ports);
}

async function printSummary(
  datapath: DatapathHandle,
  { dp, format }: Options,
  check: DumpCheck,
): Promise<void> {
  const { printMasks, summarizeMasks } = await import("../mask-summary.ts");
  printMasks(dp, summarizeMasks(datapath, check), format === "jsonl");
}

/** @throws UsageError for options that do not apply to masks */
function refuseFlows({ format, where, groupBy, sum }: Options): void {
  if (format === "msgpack") throw new UsageError("a flow set holds flows, not their masks");
  if (where !== undefined || groupBy !== undefined || sum !== undefined)
    throw new UsageError(
      "--summary is of all flows: it cannot be combined with --where, --group-by or --sum",
    );
}

/** @throws UsageError if `--format` contradicts `--json` */
function jsonFormat({ format }: Options, command: Command): FlowFormat {
  if (command.getOptionValueSource("format") !== "default" && format !== "jsonl") {
    throw new UsageError(
      `--json is --format jsonl, and cannot be combined with --format ${format}`,
    );
  }
  return "jsonl";
}

/** @throws UsageError for options that do not apply to groups */
function refuseUngrouped({ format, stats, sum }: Options): void {
  if (format === "msgpack") throw new UsageError("a flow set holds flows, not groups of them");
  if (!stats && sum !== undefined) throw new UsageError("--sum cannot be combined with --no-stats");
}
