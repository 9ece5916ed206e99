import { Command } from "commander";
import { Datapath } from "../../datapath.ts";
import { FlowFilter } from "../../flow/filter/filter.ts";
import type { FlowParts } from "../../flow/parts.ts";
import { type PortNames, portNamesOf } from "../../flow/ports.ts";
import { OvsChannel } from "../../ovs/channel.ts";
import { openDatapath } from "../../ovs/datapath.ts";
import { DumpCheck, type DumpDoubt, doubtInWords } from "../../ovs/dump-check.ts";
import { dumpToLoad } from "../../ovs/ordered-dump.ts";
import { portNames } from "../../ovs/vport.ts";
import type { RemovedFlows } from "../../remove-where.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { Exit, UsageError } from "../exit.ts";
import { printFlows } from "../flow-output.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { complain, count, counted, printJson, writeError, writeOut } from "../output.ts";
import { OWNER_OPTION } from "../owner-option.ts";
import { WHERE_HELP, WHERE_OPTION } from "../where-option.ts";

// `millrace flow`: shows or deletes one flow, or flushes all.

type Options = { dp: string; owner?: string; json?: true };

type DeleteOptions = Options & { where?: string; dryRun?: true };

const PUT_HELP = `
'millrace load' puts flows, a single one as well:
  echo 'in_port(1),eth() 2' | millrace load --dp lab0`;

const FLOW_HELP = `
FLOW is 'ufid:UUID', or the flow's key: 'in_port(1),eth(),eth_type(0x0800),ipv4(...)'.
Exit status 1: there is no such flow.`;

const DELETE_HELP = `${FLOW_HELP}
${WHERE_HELP}
--where dumps the flows, and deletes each by its UFID or key; finding none is not a failure.`;

const GET = "millrace flow get 'in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)' --dp lab0 --json";
const DEL = "millrace flow del ufid:12345678-1234-1234-1234-123456789abc --dp lab0";
const DEL_WHERE =
  "millrace flow del --where 'used > 60 and not actions has ct' --dp lab0 --dry-run";
const FLUSH = "millrace flow flush --dp lab0";

/** `millrace flow`. */
export function flowCommand(): Command {
  const flow = new Command("flow").description("Get, delete and flush flows.");
  withExamples(flow.addHelpText("after", PUT_HELP), GET, DEL, DEL_WHERE, FLUSH);
  withExamples(flow.command("get <FLOW>").addHelpText("after", FLOW_HELP), GET)
    .description("print one flow with its counters")
    .requiredOption("--dp <NAME>", "the datapath")
    .option(...OWNER_OPTION)
    .option("--json", "one JSON document")
    .action(get);
  withExamples(flow.command("del [FLOW]").addHelpText("after", DELETE_HELP), DEL, DEL_WHERE)
    .description("delete one flow, or those of a filter")
    .requiredOption("--dp <NAME>", "the datapath")
    .option(...OWNER_OPTION)
    .option(...WHERE_OPTION)
    .option("--dry-run", "print the flows that would be deleted, and delete nothing")
    .option("--json", "one JSON document; with --dry-run one object per flow, as dump prints it")
    .action(del);
  withExamples(flow.command("flush"), FLUSH)
    .description("delete all flows of the datapath, of every owner")
    .requiredOption("--dp <NAME>", "the datapath")
    .option("--json", "one JSON document")
    .action(flush);
  return withNamespace(flow);
}

function get(text: string, options: Options): void {
  using datapath = datapathOf(options);
  const found = datapath.get(text);
  if (found === undefined) return notFound(text);
  const { ufid, packets, byteCount, usedMs } = found;
  const line = found.toString({ verbose: true, statistics: !options.json });
  if (options.json) printJson({ ufid, packets, bytes: byteCount, usedMs, flow: line });
  else writeOut(`${line}\n`);
}

async function del(text: string | undefined, options: DeleteOptions): Promise<void> {
  if (text === undefined && options.where === undefined) {
    throw new UsageError("FLOW is missing, or --where; 'flow flush' deletes every flow");
  }
  if (text !== undefined && options.where !== undefined) {
    throw new UsageError("give FLOW or --where, not both");
  }
  if (options.owner !== undefined && options.where !== undefined) {
    throw new UsageError("--owner is for FLOW; a filter says whose flows it means: owner = NAME");
  }
  if (options.where !== undefined) {
    await (options.dryRun ? showWhere(options.where, options) : delWhere(options.where, options));
  } else if (text !== undefined) {
    await (options.dryRun ? showOne(text, options) : delOne(text, options));
  }
}

function delOne(text: string, options: Options): void {
  using datapath = datapathOf(options);
  const deleted = datapath.remove(text);
  if (options.json) printJson({ deleted: deleted ? 1 : 0 });
  if (!deleted) notFound(text);
}

async function showOne(text: string, options: Options): Promise<void> {
  using datapath = datapathOf(options);
  const found = datapath.get(text);
  if (found === undefined) return notFound(text);
  await show([found.parts], portNamesOf(datapath.ports()), options.json);
}

async function delWhere(where: string, options: Options): Promise<void> {
  using signals = new EndingSignals();
  using datapath = Datapath.open(options.dp);
  const { signal } = signals;
  const { removed, doubt, ...others } = await datapath.removeWhere(where, { signal });
  if (options.json) printJson({ deleted: removed, ...others });
  else printDeleted(removed, others);
  if (others.endReason !== "") complain(others.endReason);
  process.exitCode = statusOf(others);
  warnOf(doubt);
}

function statusOf({ ended, failed, unknown }: Pick<RemovedFlows, "ended" | "failed" | "unknown">) {
  if (ended === "fatal") return Exit.unavailable;
  if (ended === "interrupted") return Exit.interrupted;
  if (ended !== "complete" || unknown > 0) return Exit.internal;
  return failed > 0 ? Exit.someFailed : Exit.ok;
}

function printDeleted(
  removed: number,
  { gone, failed, unknown, exceptions }: Omit<RemovedFlows, "removed" | "doubt">,
): void {
  const parts = [
    `${counted(removed, "flow")} deleted`,
    ...(gone > 0 ? [`${count(gone)} gone before`] : []),
    ...(failed > 0 ? [`${count(failed)} not deleted`] : []),
    ...(unknown > 0 ? [`${count(unknown)} unknown`] : []),
  ];
  writeOut(`${parts.join(", ")}\n`);
  for (const { code, reason, text } of exceptions) writeOut(`  (${code}) ${reason}: ${text}\n`);
}

async function showWhere(text: string, { dp, json }: Options): Promise<void> {
  using channel = new OvsChannel();
  const datapath = openDatapath(channel, dp);
  const ports = portNames(datapath);
  const where = FlowFilter.parse(text, { ports }).ofDump();
  const check = DumpCheck.of(datapath);
  await show(dumpToLoad(datapath, { check, where }), ports, json);
  warnOf(check.doubt());
}

async function show(
  flows: Iterable<FlowParts>,
  ports: PortNames,
  json: true | undefined,
): Promise<void> {
  const format = json ? "jsonl" : "text";
  const printed = await printFlows(flows, { format, stats: true }, ports);
  writeError(`${counted(printed, "flow")} would be deleted\n`);
}

function warnOf(doubt: DumpDoubt | undefined): void {
  if (doubt === undefined) return;
  complain(`${doubtInWords(doubt)}; some may have been missed`);
  if (process.exitCode === Exit.ok) process.exitCode = Exit.someFailed;
}

// Opens the datapath with the owner, so that FLOW given by key is also found by the owner's UFID.
function datapathOf({ dp, owner = "" }: Options): Datapath {
  return Datapath.open(dp, { owner });
}

function flush(options: Options): void {
  using datapath = Datapath.open(options.dp);
  const { flows } = datapath.info().stats;
  datapath.flush();
  if (options.json) printJson({ deleted: flows });
}

function notFound(text: string): void {
  complain(`there is no such flow: ${text}`);
  process.exitCode = Exit.someFailed;
}
