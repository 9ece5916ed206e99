import { Command } from "commander";
import { OvsChannel } from "../../ovs/channel.ts";
import { openDatapath } from "../../ovs/datapath.ts";
import { deleteMeter, getMeter, meterFeatures, type MeterInfo, setMeter } from "../../ovs/meter.ts";
import { Exit, UsageError } from "../exit.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { positiveNumber } from "../option-value.ts";
import { complain, count, counted, printJson, printTable, writeOut } from "../output.ts";

// `millrace meter`: sets, shows and deletes meters.

type Common = { dp: string; json?: true };
type SetOptions = Common & { pps?: number; kbps?: number; burst?: number; clear?: true };

const SET = "millrace meter set 1 --dp lab0 --pps 1000";
const GET = "millrace meter get 1 2 --dp lab0 --json";

/** `millrace meter`. */
export function meterCommand(): Command {
  const meter = new Command("meter").description(
    "Manage the meters of a datapath: rate limits that flows use by the action meter(ID).",
  );
  withExamples(
    meter,
    SET,
    GET,
    "millrace load flows.txt --dp lab0       # with meter(1) in actions",
  );
  withExamples(
    sub(meter, "features", "print how many meters and bands are possible"),
    "millrace meter features --dp lab0",
  ).action(features);
  withExamples(
    sub(meter, "set <ID>", "create or change a meter"),
    SET,
    "millrace meter set 2 --dp lab0 --kbps 50000 --burst 8000",
  )
    .option(
      "--pps <RATE>",
      "drop packets above this rate, in packets per second",
      positiveNumber("--pps"),
    )
    .option(
      "--kbps <RATE>",
      "drop packets above this rate, in kilobits per second",
      positiveNumber("--kbps"),
    )
    .option(
      "--burst <SIZE>",
      "the burst that is let through, in packets or kilobits",
      positiveNumber("--burst"),
    )
    .option("--clear", "reset the counters")
    .action(set);
  withExamples(
    sub(
      meter,
      "get <ID...>",
      "print counters; the kernel reports no rates, and has no list of meters",
    ),
    GET,
  ).action(get);
  withExamples(
    sub(meter, "del <ID...>", "delete meters; flows that use one then let everything through"),
    "millrace meter del 1 2 --dp lab0",
  ).action(del);
  return withNamespace(meter);
}

function sub(meter: Command, name: string, description: string): Command {
  return meter
    .command(name)
    .description(description)
    .requiredOption("--dp <NAME>", "the datapath")
    .option("--json", "one JSON document");
}

function meterId(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new UsageError(`found "${text}", expected the number of a meter`);
}

function features(options: Common): void {
  using channel = new OvsChannel();
  const found = meterFeatures(openDatapath(channel, options.dp));
  if (options.json) return printJson(found);
  writeOut(
    `${counted(found.maxMeters, "meter")}, ${counted(found.maxBands, "band")} each: ${found.bandTypes.join(", ")}\n`,
  );
}

function set(text: string, options: SetOptions): void {
  const id = meterId(text);
  const rate = options.pps ?? options.kbps;
  if (rate === undefined || (options.pps !== undefined && options.kbps !== undefined)) {
    throw new UsageError("a meter needs either --pps or --kbps");
  }
  using channel = new OvsChannel();
  const band = { rate, burst: options.burst ?? 0 };
  const datapath = openDatapath(channel, options.dp);
  setMeter(datapath, id, {
    unit: options.pps === undefined ? "kilobits" : "packets",
    bands: [band],
    clear: options.clear === true,
  });
  if (options.json) printJson(getMeter(datapath, id));
}

function get(ids: readonly string[], options: Common): void {
  const wanted = ids.map(meterId);
  using channel = new OvsChannel();
  const datapath = openDatapath(channel, options.dp);
  report(wanted, (id) => getMeter(datapath, id), options);
}

function del(ids: readonly string[], options: Common): void {
  const wanted = ids.map(meterId);
  using channel = new OvsChannel();
  const datapath = openDatapath(channel, options.dp);
  report(wanted, (id) => deleteMeter(datapath, id), options);
}

// Prints existing meters, and complains of missing ones. Returns the exit status.
function report(
  ids: readonly number[],
  find: (id: number) => MeterInfo | undefined,
  options: Common,
): void {
  const found: MeterInfo[] = [];
  for (const id of ids) {
    const meter = find(id);
    if (meter !== undefined) found.push(meter);
    else {
      complain(`${options.dp} has no meter ${id}`);
      process.exitCode = Exit.someFailed;
    }
  }
  if (options.json) return printJson(found);
  if (found.length === 0) return;
  printTable([
    ["METER", "PACKETS", "BYTES", "DROPPED PACKETS", "DROPPED BYTES"],
    ...found.map(({ id, stats, bands }) => [
      String(id),
      count(stats.packets),
      count(stats.bytes),
      count(bands.reduce((sum, band) => sum + band.packets, 0)),
      count(bands.reduce((sum, band) => sum + band.bytes, 0)),
    ]),
  ]);
}
