import { Command } from "commander";
import { OvsChannel } from "../../ovs/channel.ts";
import { type DatapathInfo, getDatapath, listDatapaths } from "../../ovs/datapath.ts";
import { type ChangeEvent, type ChangeKind, listenToChanges } from "../../ovs/events.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { type LiveOptions, showLive } from "../live.ts";
import { positiveNumber, seconds, wordList } from "../option-value.ts";
import { printJsonLine, writeError, writeOut } from "../output.ts";

// `millrace monitor`: changes as they happen.

type Options = LiveOptions & { dp?: string; only?: readonly ChangeKind[]; json?: true };

const HELP_AFTER = `
Each line begins with the time at which the change was read, in UTC; the kernel reports no times.
The kernel does not report everything: not a flush, nor the flows of a deleted datapath. While any
program listens to flows, an install costs the kernel half as much again. A line "overrun" says how
many changes were lost. SIGINT ends the command with status 0.`;

/** `millrace monitor`. */
export function monitorCommand(): Command {
  const command = withNamespace(
    new Command("monitor")
      .description("Show changes of datapaths, ports and flows as they happen.")
      .option("--dp <NAME>", "only changes of this datapath")
      .option(
        "--only <KINDS>",
        "only these kinds: datapath, port, flow, separated by commas",
        wordList("--only", ["datapath", "port", "flow"]),
      )
      .option("--count <N>", "end after this many changes", positiveNumber("--count"))
      .option("--duration <SECONDS>", "end after this time", seconds("--duration"))
      .option("--json", "one object per line")
      .addHelpText("after", HELP_AFTER)
      .action(run),
  );
  return withExamples(
    command,
    "millrace monitor",
    "millrace monitor --dp lab0 --only port,flow",
    "millrace monitor --dp lab0 --duration 60 --json > changes.jsonl",
  );
}

async function run(options: Options): Promise<void> {
  using channel = new OvsChannel();
  const only = options.dp === undefined ? undefined : getDatapath(channel, options.dp);
  using changes = listenToChanges(channel, {
    ...(options.only === undefined ? {} : { kinds: options.only }),
    ...(only === undefined ? {} : { datapathIndex: only.index }),
  });
  // Listed after listening began, so that no new datapath is missed.
  const names = new Map(listDatapaths(channel).map(({ index, name }) => [index, name]));
  writeError("listening\n");
  const open = (signal: AbortSignal) => changes.events({ signal });
  await showLive(open, options, (event) => {
    if (event.kind === "datapath") names.set(event.datapathIndex, event.datapath.name);
    const time = new Date().toISOString();
    if (options.json) printJsonLine({ time, ...jsonOf(event, names) });
    else writeOut(`${time} ${textOf(event, names)}\n`);
  });
}

type Names = ReadonlyMap<number, DatapathInfo["name"]>;

function nameOf(index: number, names: Names): string {
  return names.get(index) ?? `datapath ${index}`;
}

function textOf(event: ChangeEvent, names: Names): string {
  if (event.kind === "overrun") return `overrun: ${event.lost} changes lost`;
  const start = `${event.change} ${event.kind} ${nameOf(event.datapathIndex, names)}`;
  if (event.kind === "flow") return `${start}: ${event.flow.toString()}`;
  if (event.kind === "datapath") return start;
  return `${start}: ${event.port.number}: ${event.port.name} (${event.port.type})`;
}

function jsonOf(event: ChangeEvent, names: Names): object {
  if (event.kind === "overrun") return event;
  const { kind, change } = event;
  const datapath = nameOf(event.datapathIndex, names);
  if (event.kind === "flow") {
    const { ufid } = event.flow;
    return { kind, change, datapath, ...(ufid ? { ufid } : {}), flow: event.flow.toString() };
  }
  if (event.kind === "port") return { kind, change, datapath, port: event.port };
  return { kind, change, datapath, info: event.datapath };
}
