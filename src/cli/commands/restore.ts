import { Command } from "commander";
import { U32_MAX } from "../../flow/bytes.ts";
import { OvsChannel } from "../../ovs/channel.ts";
import { deleteDatapath } from "../../ovs/datapath.ts";
import { portNames } from "../../ovs/vport.ts";
import { refuseOwned } from "../../ovs/vswitchd.ts";
import { openSet } from "../../state/open-set.ts";
import type { FlowTable } from "../../state/flow-table.ts";
import { prepareDatapath, settleSockets } from "../../state/restore.ts";
import { synchronize } from "../../state/synchronize.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { complain } from "../output.ts";
import { numberIn } from "../option-value.ts";
import { OWNER_OPTION } from "../owner-option.ts";
import { askWhereTyped, openFile, readSource } from "../set-argument.ts";
import { printSync, statusOfSync } from "../sync-output.ts";
import { Waiting } from "../waiting.ts";

// `millrace restore`: puts the flows of a snapshot back.

type Options = {
  dp: string;
  create?: true;
  userspacePid?: number;
  all?: true;
  allowGap?: true;
  owner?: string;
  force?: true;
  json?: true;
};

const HELP_AFTER = `
Only flows that are missing or have other actions are sent; flows that FILE lacks stay, unless they
are the owner's and block one of FILE. Ports are found by name. --create creates the datapath, its
ports and its limits of connections if they are missing; the interface of a netdev port must exist.
Flows that send packets to a process's socket, 'userspace(pid=…)', are refused unless
--userspace-pid names the socket. FILE is a snapshot, or any file of flows.`;

/** `millrace restore`. */
export function restoreCommand(): Command {
  const command = withNamespace(
    new Command("restore")
      .description("Restore the flows of a snapshot in a datapath.")
      .argument("<FILE>", "the snapshot; - is standard input")
      .requiredOption("--dp <NAME>", "the datapath")
      .option("--create", "create the datapath and its ports if they are missing")
      .option(
        "--userspace-pid <ID>",
        "the netlink socket to which flows send packets",
        numberIn("--userspace-pid", { min: 1, max: U32_MAX, expected: "a netlink port id" }),
      )
      .option("--all", "change flows of every owner")
      .option("--allow-gap", "briefly remove a wide flow that blocks a narrow one")
      .option(...OWNER_OPTION)
      .option("--force", "restore even if ovs-vswitchd runs the datapath")
      .option("--json", "one JSON document")
      .addHelpText("after", HELP_AFTER)
      .action(run),
  );
  return withExamples(
    command,
    "millrace restore lab0.set --dp lab0",
    "millrace restore lab0.set --dp spare --create",
  );
}

async function run(file: string, options: Options): Promise<void> {
  using signals = new EndingSignals();
  const opened = openFile(file);
  askWhereTyped(file);
  const { signal } = signals;
  using waiting = new Waiting();
  const { source, facts } = await openSet(opened, signal);
  using channel = new OvsChannel();
  const { datapath, isNew } = prepareDatapath(channel, options.dp, facts, options.create === true);
  const warning = refuseOwned(datapath, ". Add --force to restore anyway", options.force === true);
  if (warning !== undefined) complain(warning);
  const { owner = "" } = options;
  const ports = portNames(datapath);
  let wanted: FlowTable;
  try {
    wanted = await readSource(source, { owner, ports, signal, waiting });
    settleSockets(wanted, options.userspacePid);
  } catch (error) {
    // Nothing is restored, so nothing stays that was created for it.
    if (isNew) deleteDatapath(channel, options.dp);
    throw error;
  }
  const result = await synchronize({ datapath }, wanted, {
    owner,
    signal,
    keepOthers: true,
    allowEmpty: true,
    maxChange: 100,
    all: options.all === true,
    allowGap: options.allowGap === true,
    verify: true,
    onRead: waiting.onRead(options.dp),
    onProgress: waiting.onSent(options.dp),
  });
  waiting.clear();
  printSync(result, { from: file, to: options.dp, json: options.json === true });
  process.exitCode = statusOfSync(result);
}
