import { Command } from "commander";
import { OvsChannel } from "../../ovs/channel.ts";
import {
  createDatapath,
  DATAPATH_FEATURES,
  type DatapathFeature,
  type DatapathInfo,
  deleteDatapath,
  getDatapath,
  handleOf,
  listDatapaths,
  setDatapath,
} from "../../ovs/datapath.ts";
import { listPorts, type PortInfo } from "../../ovs/vport.ts";
import { UsageError } from "../exit.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { numberIn, wordList } from "../option-value.ts";
import { count, printJson, printTable, writeOut } from "../output.ts";

// `millrace dp`: adds, deletes, changes, lists and shows datapaths.

type JsonOption = { json?: true };
type SetOptions = JsonOption & { features?: readonly DatapathFeature[]; masksCache?: number };

/** `millrace dp`. */
export function dpCommand(): Command {
  const dp = new Command("dp").description("Add, delete, change, list and show datapaths.");
  withExamples(
    dp,
    "millrace dp add lab0",
    "millrace dp list",
    "millrace dp show lab0 --json",
    "millrace dp del lab0",
  );
  withExamples(dp.command("add <NAME>"), "millrace dp add lab0")
    .description("create a datapath")
    .option("--json", "one JSON document")
    .action(add);
  withExamples(dp.command("del <NAME>"), "millrace dp del lab0")
    .description("delete a datapath, its ports and its flows")
    .option("--json", "one JSON document")
    .action(del);
  withExamples(
    dp.command("set <NAME>"),
    "millrace dp set lab0 --features unaligned,vport-pids",
    "millrace dp set lab0 --masks-cache 1024",
  )
    .description("change a datapath; settings that are not named stay")
    .option(
      "--features <LIST>",
      `features to enable, all others are disabled: ${DATAPATH_FEATURES.join(", ")}; or none`,
      wordList("--features", DATAPATH_FEATURES, true),
    )
    .option(
      "--masks-cache <SLOTS>",
      "slots of the mask cache: 0 or a power of two",
      numberIn("--masks-cache", { min: 0, expected: "0 or a power of two" }),
    )
    .option("--json", "one JSON document")
    .action(set);
  withExamples(dp.command("list"), "millrace dp list", "millrace dp list --json")
    .description("list the datapaths of this network namespace")
    .option("--json", "one JSON document")
    .action(list);
  withExamples(dp.command("show [NAME]"), "millrace dp show", "millrace dp show lab0 --json")
    .description("print counters and ports of one datapath, or of all")
    .option("--json", "one JSON document")
    .action(show);
  return withNamespace(dp);
}

function add(name: string, { json }: JsonOption): void {
  using channel = new OvsChannel();
  const made = createDatapath(channel, name);
  if (json) printJson(made);
}

function del(name: string, { json }: JsonOption): void {
  using channel = new OvsChannel();
  deleteDatapath(channel, name);
  if (json) printJson({ deleted: name });
}

function set(name: string, { features, masksCache, json }: SetOptions): void {
  if (features === undefined && masksCache === undefined) {
    throw new UsageError("found nothing to change, expected --features or --masks-cache");
  }
  using channel = new OvsChannel();
  const changed = setDatapath(channel, name, {
    ...(features === undefined ? {} : { features }),
    ...(masksCache === undefined ? {} : { masksCacheSize: masksCache }),
  });
  if (json) printJson(changed);
}

function list(options: JsonOption): void {
  using channel = new OvsChannel();
  const datapaths = listDatapaths(channel);
  if (options.json) return printJson(datapaths);
  if (datapaths.length === 0) return writeOut("no datapaths\n");
  printTable([
    ["NAME", "FLOWS", "MASKS", "HIT", "MISSED", "LOST"],
    ...datapaths.map(({ name, stats, megaflow }) => [
      name,
      count(stats.flows),
      count(megaflow.masks),
      count(stats.hit),
      count(stats.missed),
      count(stats.lost),
    ]),
  ]);
}

function show(name: string | undefined, options: JsonOption): void {
  using channel = new OvsChannel();
  const datapaths = name === undefined ? listDatapaths(channel) : [getDatapath(channel, name)];
  const shown = datapaths.map((datapath) => ({
    ...datapath,
    ports: listPorts(handleOf(channel, datapath)),
  }));
  if (options.json) return printJson(name === undefined ? shown : shown[0]);
  if (shown.length === 0) return writeOut("no datapaths\n");
  for (const datapath of shown) showOne(datapath, datapath.ports);
}

function showOne({ name, stats, megaflow }: DatapathInfo, ports: readonly PortInfo[]): void {
  writeOut(`${name}:\n`);
  writeOut(
    `  lookups: ${count(stats.hit)} hit, ${count(stats.missed)} missed, ${count(stats.lost)} lost\n`,
  );
  writeOut(`  flows: ${count(stats.flows)}, masks: ${count(megaflow.masks)}\n`);
  for (const port of ports) {
    writeOut(`  port ${port.number}: ${port.name} (${port.type})\n`);
  }
}
