import { Command } from "commander";
import { detect } from "../../format/detect.ts";
import { bytesSource, type ByteSource } from "../../format/source.ts";
import { OvsChannel } from "../../ovs/channel.ts";
import { portNames } from "../../ovs/vport.ts";
import { refuseOwned } from "../../ovs/vswitchd.ts";
import { prepareDatapath, readSnapshotFacts, settleSockets } from "../../state/restore.ts";
import { synchronize } from "../../state/synchronize.ts";
import { MillraceError } from "../../sys/errors.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { UsageError } from "../exit.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { complain } from "../output.ts";
import { OWNER_OPTION } from "../owner-option.ts";
import { askWhereTyped, openFile, readSource } from "../set-argument.ts";
import { printSync, statusOfSync } from "../sync-output.ts";

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
Only what is missing, or has other actions, is sent; flows that FILE does not have stay, unless they
are the owner's and block one of FILE. Ports are found by name. --create makes the datapath, its
ports and its limits of connections where they are missing; a port that is an interface of its own
has to be there. Flows that send packets to a
process's socket, 'userspace(pid=…)', are refused unless --userspace-pid says which socket is meant.
FILE is a snapshot, or any file of flows.`;

/** `millrace restore`. */
export function restoreCommand(): Command {
  const command = withNamespace(
    new Command("restore")
      .description("Put the flows of a snapshot back into a datapath.")
      .argument("<FILE>", "the snapshot; - is standard input")
      .requiredOption("--dp <NAME>", "the datapath")
      .option("--create", "make the datapath and its ports where they are missing")
      .option("--userspace-pid <ID>", "the netlink socket that flows send packets to", portId)
      .option("--all", "change flows of everybody")
      .option("--allow-gap", "take out a wide flow for a moment that is in the way of a narrow one")
      .option(...OWNER_OPTION)
      .option("--force", "restore also where ovs-vswitchd runs the datapath")
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
  const source = await rereadable(opened, signals.signal);
  const { format, source: first } = await detect(source());
  const facts = format === "msgpack" ? await readSnapshotFacts(first) : undefined;
  first.close();
  using channel = new OvsChannel();
  const datapath = prepareDatapath(channel, options.dp, facts, options.create === true);
  const warning = refuseOwned(datapath, ". --force restores all the same", options.force === true);
  if (warning !== undefined) complain(warning);
  const { owner = "" } = options;
  const { signal } = signals;
  const ports = portNames(datapath);
  const wanted = await readSource(source(), { owner, ports, signal });
  settleSockets(wanted, options.userspacePid);
  const result = await synchronize({ datapath }, wanted, {
    owner,
    signal,
    keepOthers: true,
    allowEmpty: true,
    maxChange: 100,
    all: options.all === true,
    allowGap: options.allowGap === true,
    verify: true,
  });
  printSync(result, { from: file, to: options.dp, json: options.json === true });
  process.exitCode = statusOfSync(result);
}

// Makes the input readable twice: for the facts about its datapath, and for its flows.
async function rereadable(source: ByteSource, signal: AbortSignal): Promise<() => ByteSource> {
  const { reopen } = source;
  if (reopen !== undefined) {
    return () => {
      const reread = reopen();
      if (reread === undefined) throw new UsageError(`${source.name} changes while it is read`);
      return reread;
    };
  }
  const pieces: Uint8Array[] = [];
  const buffer = new Uint8Array(1 << 20);
  // Waiting for a pipe or a terminal must be abortable.
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const end = new MillraceError("INTERRUPTED", "interrupted while its input was read");
  signal.addEventListener("abort", () => reject(end), { once: true });
  try {
    for (;;) {
      const count = await Promise.race([source.read(buffer, 0), aborted]);
      if (count === 0) break;
      pieces.push(buffer.slice(0, count));
    }
  } finally {
    source.close();
  }
  const all = Buffer.concat(pieces);
  return () => bytesSource(source.name, all);
}

function portId(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 0xffff_ffff) {
    throw new UsageError(`--userspace-pid: found "${text}", expected a netlink port id`);
  }
  return value;
}
