import { Command } from "commander";
import { OvsChannel } from "../../ovs/channel.ts";
import { openDatapath } from "../../ovs/datapath.ts";
import { takeSnapshot } from "../../state/snapshot.ts";
import { Exit } from "../exit.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { bytes, complain, counted, printJson, writeError, writeOut } from "../output.ts";
import { openFlowSet } from "../output-file.ts";
import { Waiting } from "../waiting.ts";

// `millrace snapshot`: the flows and ports of a datapath, in a file that restores them.

type Options = { dp: string; output: string; ctLimits?: true; counters?: true; json?: true };

const HELP_AFTER = `
FILE is a flow set: the flows with their given UFIDs, the ports by name, and the settings of the
datapath. 'load', 'restore', 'diff', 'verify' and 'sync' read it. Two passes over the datapath must
find the same flows with the same actions. If they never do, the snapshot says how many differ, and
the exit status is 1. A snapshot has no rates of meters, because the kernel does not report them.`;

/** `millrace snapshot`. */
export function snapshotCommand(): Command {
  const command = withNamespace(
    new Command("snapshot")
      .description("Save the flows and ports of a datapath in a file.")
      .requiredOption("--dp <NAME>", "the datapath")
      .requiredOption("-o, --output <FILE>", "the snapshot; - is standard output")
      .option("--ct-limits", "also save limits of connections")
      .option("--counters", "also save packets and bytes of each flow")
      .option("--json", "one JSON document; on standard error if FILE is standard output")
      .addHelpText("after", HELP_AFTER)
      .action(run),
  );
  return withExamples(
    command,
    "millrace snapshot --dp lab0 -o lab0.set",
    "millrace snapshot --dp lab0 -o - | ssh spare millrace restore - --dp lab0 --create",
  );
}

function run(options: Options): void {
  using out = openFlowSet(options.output);
  const toError = out.isStandardOutput;
  const write = toError ? writeError : writeOut;
  using channel = new OvsChannel();
  const datapath = openDatapath(channel, options.dp);
  using waiting = new Waiting();
  const taken = takeSnapshot(datapath, out.write, {
    ctLimits: options.ctLimits === true,
    counters: options.counters === true,
    onRead: waiting.onRead(options.dp),
  });
  waiting.clear();
  const { flows, ports, moving, shortUfids, unnamedPorts } = taken;
  out.keep();
  const soundness = moving === 0 ? "two equal passes" : `moving: ${counted(moving, "flow")} differ`;
  if (options.json) {
    const report = {
      flows,
      ports: ports.length,
      bytes: taken.bytes,
      moving,
      taken: soundness,
      shortUfids,
      unnamedPorts,
    };
    printJson(report, write);
  } else {
    const text = `${options.dp} → ${toError ? "standard output" : options.output}: ${counted(flows, "flow")}, ${counted(ports.length, "port")}, ${bytes(taken.bytes)}; ${soundness}\n`;
    write(text);
  }
  if (shortUfids > 0) {
    const which = counted(shortUfids, "flow has a UFID", "flows have UFIDs");
    complain(`warning: ${which} of fewer than 16 bytes; they are restored with another one`);
  }
  if (unnamedPorts > 0) {
    const which = counted(unnamedPorts, "flow names a port", "flows name ports");
    complain(
      `warning: ${which} that ${options.dp} lacks; where that number is another port's, restored flows use it`,
    );
  }
  process.exitCode = moving === 0 ? Exit.ok : Exit.someFailed;
}
