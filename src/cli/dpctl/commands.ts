import { EOPNOTSUPP } from "../../sys/errno.ts";
import * as conntrack from "./conntrack.ts";
import * as datapaths from "./datapaths.ts";
import * as files from "./flow-files.ts";
import * as flowDumps from "./flow-dumps.ts";
import * as flows from "./flows.ts";
import * as limits from "./limits.ts";
import * as ports from "./ports.ts";
import type { DpctlSession } from "./session.ts";

/** Runs a command with its arguments. @returns the exit status */
type DpctlHandler = (session: DpctlSession, args: readonly string[]) => number | Promise<number>;

/** A row of `all_commands` in OVS's lib/dpctl.c. */
type DpctlCommand = {
  readonly name: string;
  readonly usage: string;
  readonly min: number;
  readonly max: number;
  readonly handler: DpctlHandler;
  /** Whether it changes something, and is refused with --read-only. */
  readonly writes: boolean;
};

const ANY = Number.POSITIVE_INFINITY;

/** Every command, in the order of list-commands. */
export const COMMANDS: readonly DpctlCommand[] = [
  changes("add-dp", "dp [iface...]", [1, ANY], datapaths.addDp),
  changes("del-dp", "dp", [1, 1], datapaths.delDp),
  changes("add-if", "dp iface...", [2, ANY], ports.addInterfaces),
  changes("del-if", "dp iface...", [2, ANY], ports.deleteInterfaces),
  changes("set-if", "dp iface...", [2, ANY], ports.setInterfaces),
  shows("dump-dps", "", [0, 0], datapaths.dumpDps),
  shows("show", "[-s] [dp...]", [0, ANY], datapaths.show),
  shows(
    "dump-flows",
    "[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]",
    [0, 6],
    flowDumps.dumpFlows,
  ),
  changes("add-flow", "[dp] flow actions", [2, 3], flows.addFlow),
  changes("mod-flow", "[dp] flow actions", [2, 3], flows.modFlow),
  shows("get-flow", "[dp] ufid", [1, 2], flowDumps.getFlow),
  changes("del-flow", "[dp] flow", [1, 2], flows.delFlow),
  changes("add-flows", "[dp] file", [1, 2], files.addFlows),
  changes("mod-flows", "[dp] file", [1, 2], files.modFlows),
  changes("del-flows", "[dp] [file]", [0, 2], files.delFlows),
  shows("offload-stats-show", "[dp]", [0, 1], userspaceOnly("retrieving offload statistics")),
  shows("dump-conntrack", "[-m] [-s] [dp] [zone=N]", [0, 4], conntrack.dumpConntrack),
  changes(
    "flush-conntrack",
    "[dp] [zone=N] [ct-orig-tuple] [ct-reply-tuple]",
    [0, 6],
    conntrack.flushConntrack,
  ),
  shows("cache-get-size", "[dp]", [0, 1], datapaths.cacheGetSize),
  changes("cache-set-size", "dp cache <size>", [3, 3], datapaths.cacheSetSize),
  shows("ct-stats-show", "[dp] [zone=N]", [0, 3], conntrack.ctStatsShow),
  shows("ct-bkts", "[dp] [gt=N]", [0, 2], ctBuckets),
  changes("ct-set-maxconns", "[dp] maxconns", [1, 2], userspaceOnly("ct set maxconns failed", 1)),
  shows("ct-get-maxconns", "[dp]", [0, 1], userspaceOnly("maxconns could not be retrieved")),
  shows("ct-get-nconns", "[dp]", [0, 1], userspaceOnly("nconns could not be retrieved")),
  changes(
    "ct-enable-tcp-seq-chk",
    "[dp]",
    [0, 1],
    userspaceOnly("enabling TCP sequence checking failed"),
  ),
  changes(
    "ct-disable-tcp-seq-chk",
    "[dp]",
    [0, 1],
    userspaceOnly("disabling TCP sequence checking failed"),
  ),
  shows("ct-get-tcp-seq-chk", "[dp]", [0, 1], userspaceOnly("TCP sequence checking query failed")),
  shows("ct-set-limits", "[dp] [default=L] [zone=N,limit=L]...", [1, ANY], limits.ctSetLimits),
  shows("ct-del-limits", "[dp] zone=N1[,N2]...", [1, 3], limits.ctDelLimits),
  shows("ct-get-limits", "[dp] [zone=N1[,N2]...]", [0, 2], limits.ctGetLimits),
  changes(
    "ipf-set-enabled",
    "[dp] v4|v6",
    [1, 2],
    userspaceOnly("enabling fragmentation reassembly failed", 1),
  ),
  changes(
    "ipf-set-disabled",
    "[dp] v4|v6",
    [1, 2],
    userspaceOnly("disabling fragmentation reassembly failed", 1),
  ),
  changes(
    "ipf-set-min-frag",
    "[dp] v4|v6 minfragment",
    [2, 3],
    userspaceOnly("requested minimum fragment size too small; see documentation", 2),
  ),
  changes(
    "ipf-set-max-nfrags",
    "[dp] maxfrags",
    [1, 2],
    userspaceOnly("setting maximum fragments failed", 1),
  ),
  shows("ipf-get-status", "[dp]", [0, 1], userspaceOnly("ipf status could not be retrieved")),
  shows("help", "", [0, ANY], () => 0),
  shows("list-commands", "", [0, ANY], listCommands),
];

type Arguments = readonly [min: number, max: number];

function shows(
  name: string,
  usage: string,
  [min, max]: Arguments,
  handler: DpctlHandler,
): DpctlCommand {
  return { name, usage, min, max, handler, writes: false };
}

function changes(...row: Parameters<typeof shows>): DpctlCommand {
  return { ...shows(...row), writes: true };
}

/** A command of the userspace datapath: fails for a kernel, as with ovs-dpctl. */
function userspaceOnly(message: string, values = 0): DpctlHandler {
  return (session, args) => {
    session.openOptional(args, values + 1);
    return session.complain(message, EOPNOTSUPP);
  };
}

function ctBuckets(session: DpctlSession, args: readonly string[]): number {
  const last = args.at(-1) ?? "";
  session.openOptional(last.startsWith("gt=") ? args.slice(0, -1) : args, 1);
  session.out("Command is available for UserSpace ConnTracker only.\n");
  return 0;
}

function listCommands(session: DpctlSession): number {
  const lines = COMMANDS.map(({ name, usage }) => `  ${name.padEnd(23)} ${usage}`);
  session.out(`The available commands are:\n${lines.join("\n")}\n`);
  return 0;
}
