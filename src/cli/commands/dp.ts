import { Command } from "commander";
import { OvsChannel } from "../../ovs/channel.ts";
import {
  createDatapath,
  type DatapathInfo,
  deleteDatapath,
  getDatapath,
  listDatapaths,
} from "../../ovs/datapath.ts";
import { listPorts, type PortInfo } from "../../ovs/vport.ts";
import { count, printJson, printTable, writeOut } from "../output.ts";

type JsonOption = { json?: true };

/** `millrace dp`. */
export function dpCommand(): Command {
  const dp = new Command("dp").description("Add, delete, list and show datapaths.");
  dp.command("add <NAME>").description("create a datapath").action(add);
  dp.command("del <NAME>").description("delete a datapath, its ports and its flows").action(del);
  dp.command("list")
    .description("the datapaths of this network namespace")
    .option("--json", "one JSON document")
    .action(list);
  dp.command("show [NAME]")
    .description("counters and ports of a datapath, or of all")
    .option("--json", "one JSON document")
    .action(show);
  return dp;
}

function add(name: string): void {
  using channel = new OvsChannel();
  createDatapath(channel, name);
}

function del(name: string): void {
  using channel = new OvsChannel();
  deleteDatapath(channel, name);
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
  const shown = datapaths.map((datapath) => ({ ...datapath, ports: listPorts(channel, datapath) }));
  if (options.json) return printJson(name === undefined ? shown : shown[0]);
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
