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
  /** Changes something: not with --read-only. */
  readonly writes: boolean;
};

const ANY = Number.POSITIVE_INFINITY;

/** Every command, in the order of list-commands. */
export const COMMANDS: readonly DpctlCommand[] = [
  row("add-dp", "dp [iface...]", 1, ANY, datapaths.addDp, true),
  row("del-dp", "dp", 1, 1, datapaths.delDp, true),
  row("add-if", "dp iface...", 2, ANY, ports.addInterfaces, true),
  row("del-if", "dp iface...", 2, ANY, ports.deleteInterfaces, true),
  row("set-if", "dp iface...", 2, ANY, ports.setInterfaces, true),
  row("dump-dps", "", 0, 0, datapaths.dumpDps),
  row("show", "[-s] [dp...]", 0, ANY, datapaths.show),
  row(
    "dump-flows",
    "[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]",
    0,
    6,
    flowDumps.dumpFlows,
  ),
  row("add-flow", "[dp] flow actions", 2, 3, flows.addFlow, true),
  row("mod-flow", "[dp] flow actions", 2, 3, flows.modFlow, true),
  row("get-flow", "[dp] ufid", 1, 2, flowDumps.getFlow),
  row("del-flow", "[dp] flow", 1, 2, flows.delFlow, true),
  row("add-flows", "[dp] file", 1, 2, files.addFlows, true),
  row("mod-flows", "[dp] file", 1, 2, files.modFlows, true),
  row("del-flows", "[dp] [file]", 0, 2, files.delFlows, true),
  row("offload-stats-show", "[dp]", 0, 1, lacking("retrieving offload statistics")),
  row("dump-conntrack", "[-m] [-s] [dp] [zone=N]", 0, 4, conntrack.dumpConntrack),
  row(
    "flush-conntrack",
    "[dp] [zone=N] [ct-orig-tuple] [ct-reply-tuple]",
    0,
    6,
    conntrack.flushConntrack,
    true,
  ),
  row("cache-get-size", "[dp]", 0, 1, datapaths.cacheGetSize),
  row("cache-set-size", "dp cache <size>", 3, 3, datapaths.cacheSetSize, true),
  row("ct-stats-show", "[dp] [zone=N]", 0, 3, conntrack.ctStatsShow),
  row("ct-bkts", "[dp] [gt=N]", 0, 2, ctBuckets),
  row("ct-set-maxconns", "[dp] maxconns", 1, 2, lacking("ct set maxconns failed", 1), true),
  row("ct-get-maxconns", "[dp]", 0, 1, lacking("maxconns could not be retrieved")),
  row("ct-get-nconns", "[dp]", 0, 1, lacking("nconns could not be retrieved")),
  row(
    "ct-enable-tcp-seq-chk",
    "[dp]",
    0,
    1,
    lacking("enabling TCP sequence checking failed"),
    true,
  ),
  row(
    "ct-disable-tcp-seq-chk",
    "[dp]",
    0,
    1,
    lacking("disabling TCP sequence checking failed"),
    true,
  ),
  row("ct-get-tcp-seq-chk", "[dp]", 0, 1, lacking("TCP sequence checking query failed")),
  row("ct-set-limits", "[dp] [default=L] [zone=N,limit=L]...", 1, ANY, limits.ctSetLimits),
  row("ct-del-limits", "[dp] zone=N1[,N2]...", 1, 3, limits.ctDelLimits),
  row("ct-get-limits", "[dp] [zone=N1[,N2]...]", 0, 2, limits.ctGetLimits),
  row(
    "ipf-set-enabled",
    "[dp] v4|v6",
    1,
    2,
    lacking("enabling fragmentation reassembly failed", 1),
    true,
  ),
  row(
    "ipf-set-disabled",
    "[dp] v4|v6",
    1,
    2,
    lacking("disabling fragmentation reassembly failed", 1),
    true,
  ),
  row(
    "ipf-set-min-frag",
    "[dp] v4|v6 minfragment",
    2,
    3,
    lacking("requested minimum fragment size too small; see documentation", 2),
    true,
  ),
  row(
    "ipf-set-max-nfrags",
    "[dp] maxfrags",
    1,
    2,
    lacking("setting maximum fragments failed", 1),
    true,
  ),
  row("ipf-get-status", "[dp]", 0, 1, lacking("ipf status could not be retrieved")),
  row("help", "", 0, ANY, () => 0),
  row("list-commands", "", 0, ANY, listCommands),
];

function row(
  name: string,
  usage: string,
  min: number,
  max: number,
  handler: DpctlHandler,
  writes = false,
): DpctlCommand {
  return { name, usage, min, max, handler, writes };
}

/** A command of the userspace datapath: a kernel says no, as ovs-dpctl does. */
function lacking(message: string, values = 0): DpctlHandler {
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
