import { Command } from "commander";
import { Datapath } from "../../datapath.ts";
import { Exit } from "../exit.ts";
import { withNamespace } from "../namespace-option.ts";
import { printJson, writeOut } from "../output.ts";

// `millrace flow`: one flow is shown or deleted, or all are flushed.

type Options = { dp: string; json?: true };

const HELP_AFTER = `
FLOW is 'ufid:UUID', or the flow's key: 'in_port(1),eth(),eth_type(0x0800),ipv4(...)'.
Exit status 1: there is no such flow.`;

/** `millrace flow`. */
export function flowCommand(): Command {
  const flow = new Command("flow").description("Get, delete and flush flows.");
  flow
    .command("get <FLOW>")
    .description("print one flow with its counters")
    .requiredOption("--dp <NAME>", "the datapath")
    .option("--json", "one JSON document")
    .addHelpText("after", HELP_AFTER)
    .action(get);
  flow
    .command("del <FLOW>")
    .description("delete one flow")
    .requiredOption("--dp <NAME>", "the datapath")
    .option("--json", "one JSON document")
    .addHelpText("after", HELP_AFTER)
    .action(del);
  flow
    .command("flush")
    .description("delete every flow of the datapath, whoever put it")
    .requiredOption("--dp <NAME>", "the datapath")
    .option("--json", "one JSON document")
    .action(flush);
  return withNamespace(flow);
}

function get(text: string, options: Options): void {
  using datapath = Datapath.open(options.dp);
  const found = datapath.get(text);
  if (found === undefined) return notFound(text);
  const { ufid, packets, byteCount, usedMs } = found;
  const line = found.toString({ verbose: true, statistics: !options.json });
  if (options.json) printJson({ ufid, packets, bytes: byteCount, usedMs, flow: line });
  else writeOut(`${line}\n`);
}

function del(text: string, options: Options): void {
  using datapath = Datapath.open(options.dp);
  const deleted = datapath.remove(text);
  if (options.json) printJson({ deleted: deleted ? 1 : 0 });
  if (!deleted) notFound(text);
}

function flush(options: Options): void {
  using datapath = Datapath.open(options.dp);
  const { flows } = datapath.info().stats;
  datapath.flush();
  if (options.json) printJson({ deleted: flows });
}

function notFound(text: string): void {
  console.error(`millrace: there is no such flow: ${text}`);
  process.exitCode = Exit.someFailed;
}
