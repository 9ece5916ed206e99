import { Command, Option } from "commander";
import { Datapath } from "../../datapath.ts";
import { type PortNames, portNamesOf } from "../../flow/ports.ts";
import type { UpcallDispatch, UpcallEvent } from "../../ovs/upcalls.ts";
import { type LiveOptions, showLive } from "../live.ts";
import { positiveNumber, seconds } from "../option-value.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { counted, printJsonLine, writeError, writeOut } from "../output.ts";

// `millrace upcalls`: shows packets that find no flow, as they come.

type Options = LiveOptions & {
  dp: string;
  port?: readonly string[];
  dispatch: UpcallDispatch;
  execute?: string;
  packets?: true;
  takeOver?: true;
  json?: true;
};

const HELP_AFTER = `
While the command runs, it receives the packets that match no flow, and drops them unless --execute
gives their actions. If another program receives them (ovs-vswitchd), the command does not start;
--take-over takes the packets away from that program, and gives them back at the end. Each line
begins with the time at which the packet was read, in UTC. A line "lost" says how many packets were
lost. SIGINT ends the command with status 0.`;

/** `millrace upcalls`. */
export function upcallsCommand(): Command {
  const command = withNamespace(
    new Command("upcalls")
      .description("Show packets that match no flow, as they arrive.")
      .requiredOption("--dp <NAME>", "the datapath")
      .option("--port <NAMES...>", "only packets from these ports")
      .addOption(
        new Option("--dispatch <HOW>", "one socket for all, one per port, or one per CPU")
          .choices(["shared", "port", "cpu"])
          .default("shared"),
      )
      .option("--execute <ACTIONS>", "send each packet through these actions: '2', 'eth1,eth2'")
      .option("--packets", "also print the packets' bytes, in hexadecimal; --json always has them")
      .option("--take-over", "take the packets away from the program that gets them now")
      .option("--count <N>", "end after this many packets", positiveNumber("--count"))
      .option("--duration <SECONDS>", "end after this time", seconds("--duration"))
      .option("--json", "one object per line")
      .addHelpText("after", HELP_AFTER)
      .action(run),
  );
  return withExamples(
    command,
    "millrace upcalls --dp lab0",
    "millrace upcalls --dp lab0 --port veth1 --execute 2",
    "millrace upcalls --dp lab0 --count 10 --json",
  );
}

async function run(options: Options): Promise<void> {
  using dp = Datapath.open(options.dp);
  using upcalls = dp.upcalls({
    dispatch: options.dispatch,
    takeOver: options.takeOver === true,
    ...(options.port === undefined ? {} : { ports: options.port }),
  });
  const names = recentNames(dp);
  writeError("listening\n");
  const open = (signal: AbortSignal) => upcalls.events({ signal });
  await showLive(open, options, (event) => {
    const time = new Date().toISOString();
    if (options.json) printJsonLine({ time, ...jsonOf(event, names()) });
    else writeOut(`${time} ${textOf(event, names(), options.packets === true)}\n`);
    if (event.kind !== "lost" && options.execute !== undefined) dp.execute(event, options.execute);
  });
}

/** The names of the ports, which may change while the command runs; at most `ageMs` old. */
function recentNames(dp: Datapath, ageMs = 1000): () => PortNames {
  let names = portNamesOf(dp.ports());
  let readAt = performance.now();
  return () => {
    const now = performance.now();
    if (now - readAt < ageMs) return names;
    readAt = now;
    return (names = portNamesOf(dp.ports()));
  };
}

function textOf(event: UpcallEvent, names: PortNames, packets: boolean): string {
  if (event.kind === "lost") return `lost: ${counted(event.count, "packet")}`;
  const { userdata } = event;
  const data = userdata === undefined ? "" : ` userdata(${userdata.toHex()})`;
  const bytes = packets ? ` packet(${event.packet.toHex()})` : "";
  return `${event.kind} ${counted(event.length, "byte")}${data}: ${event.keyText(names)}${bytes}`;
}

function jsonOf(event: UpcallEvent, names: PortNames): object {
  if (event.kind === "lost") return event;
  const { kind, key, length, packet, userdata, inPort } = event;
  const port = inPort === undefined ? undefined : names.nameOf(inPort);
  return { kind, inPort, port, key, length, packet: packet.toHex(), userdata: userdata?.toHex() };
}
