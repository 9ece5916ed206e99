import { Command } from "commander";
import { OvsChannel } from "../../ovs/channel.ts";
import {
  type CtLimit,
  type CtZone,
  deleteCtLimits,
  getCtLimits,
  setCtLimits,
} from "../../ovs/ct-limit.ts";
import { UsageError } from "../exit.ts";
import { withNamespace } from "../namespace-option.ts";
import { count, printJson, printTable } from "../output.ts";

// `millrace ct-limit`: limits of connections by conntrack zone.

type JsonOption = { json?: true };

const HELP_AFTER = `
ZONE is a number from 0 to 65535, or 'default' for all zones that have no limit of their own. Limits
belong to the network namespace: they hold for the connections that flows with ct(commit) make in all
its datapaths.`;

/** `millrace ct-limit`. */
export function ctLimitCommand(): Command {
  const limits = new Command("ct-limit")
    .description("Limits of connections, by conntrack zone.")
    .addHelpText("after", HELP_AFTER);
  limits
    .command("set <ZONE=LIMIT...>")
    .description("set limits; 0 is no limit")
    .option("--json", "one JSON document")
    .addHelpText("after", HELP_AFTER)
    .action(set);
  limits
    .command("get [ZONE...]")
    .description("limits and connections now; of the default and all zones with a limit")
    .option("--json", "one JSON document")
    .addHelpText("after", HELP_AFTER)
    .action(get);
  limits
    .command("del <ZONE...>")
    .description("delete limits: the default holds again")
    .option("--json", "one JSON document")
    .addHelpText("after", HELP_AFTER)
    .action(del);
  return withNamespace(limits);
}

function zoneOf(text: string): CtZone {
  if (text === "default") return "default";
  if (/^\d+$/.test(text)) return Number(text);
  throw new UsageError(`found "${text}", expected a zone: a number, or default`);
}

function limitOf(text: string): CtLimit {
  const [zone = "", limit = ""] = text.split("=");
  if (!/^\d+$/.test(limit) || text.split("=").length !== 2) {
    throw new UsageError(`found "${text}", expected ZONE=LIMIT: 5=1000, default=100`);
  }
  return { zone: zoneOf(zone), limit: Number(limit) };
}

function set(texts: readonly string[], { json }: JsonOption): void {
  const limits = texts.map(limitOf);
  using channel = new OvsChannel();
  setCtLimits(channel, limits);
  const zones = limits.map(({ zone }) => zone);
  if (json) printJson(getCtLimits(channel, zones));
}

function get(texts: readonly string[], options: JsonOption): void {
  const zones = texts.map(zoneOf);
  using channel = new OvsChannel();
  const limits = getCtLimits(channel, zones);
  if (options.json) return printJson(limits);
  printTable([
    ["ZONE", "LIMIT", "CONNECTIONS"],
    ...limits.map((each) => [
      String(each.zone),
      each.limit === 0 ? "none" : count(each.limit),
      count(each.count),
    ]),
  ]);
}

function del(texts: readonly string[], { json }: JsonOption): void {
  const zones = texts.map(zoneOf);
  using channel = new OvsChannel();
  deleteCtLimits(channel, zones);
  if (json) printJson({ deleted: zones });
}
