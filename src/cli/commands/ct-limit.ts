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
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { count, printJson, printTable } from "../output.ts";

// `millrace ct-limit`: limits of connections by conntrack zone.

type JsonOption = { json?: true };

const HELP_AFTER = `
ZONE is a number from 0 to 65535, or 'default' for all zones without a limit of their own. Limits
belong to the network namespace: they apply to connections that flows with ct(commit) create in any
of its datapaths.`;

const SET = "millrace ct-limit set default=100000 5=1000";
const GET = "millrace ct-limit get 5 --json";
const DEL = "millrace ct-limit del 5";

/** `millrace ct-limit`. */
export function ctLimitCommand(): Command {
  const limits = new Command("ct-limit")
    .description("Manage limits of connections, by conntrack zone.")
    .addHelpText("after", HELP_AFTER);
  withExamples(limits, SET, GET, DEL);
  withExamples(limits.command("set <ZONE=LIMIT...>").addHelpText("after", HELP_AFTER), SET)
    .description("set limits; 0 means no limit")
    .option("--json", "one JSON document")
    .action(set);
  withExamples(limits.command("get [ZONE...]").addHelpText("after", HELP_AFTER), GET)
    .description("print limits and current connections; by default of all zones with a limit")
    .option("--json", "one JSON document")
    .action(get);
  withExamples(limits.command("del <ZONE...>").addHelpText("after", HELP_AFTER), DEL)
    .description("delete limits, so that the default applies again")
    .option("--json", "one JSON document")
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
