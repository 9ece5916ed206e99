import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { MillraceError } from "../sys/errors.ts";
import type { OvsChannel } from "./channel.ts";
import { type DatapathHandle, infoOf } from "./datapath.ts";
import { listPorts } from "./vport.ts";

/** The daemon's name in /proc/PID/comm. */
const VSWITCHD = "ovs-vswitchd";

/**
 * The only datapath that it creates in a kernel, for all its bridges (`open_dpif_backer` in
 * ofproto-dpif.c).
 */
const ITS_DATAPATH = "ovs-system";

/** The process that runs a datapath: it makes its flows, and deletes unknown ones. */
type DatapathOwner = {
  readonly pid: number;
  /**
   * Whether its sockets receive the missed packets. Otherwise it runs, and the datapath has the
   * name of its datapath: kernels do not report who receives packets by CPU, and inspecting other
   * processes requires a privilege.
   */
  readonly certain: boolean;
};

/**
 * Whether ovs-vswitchd runs a datapath. It revalidates the flows of its datapath continuously, and
 * deletes within seconds flows that it did not make (`revalidate` in OVS's
 * ofproto/ofproto-dpif-upcall.c).
 * @returns undefined if it does not run here, or runs another datapath
 */
function datapathOwner(datapath: DatapathHandle): DatapathOwner | undefined {
  // It cannot run the datapath of a kernel in memory.
  if (datapath.channel.kernel !== undefined) return undefined;
  const pids = vswitchdProcesses(datapath.channel);
  const [first] = pids;
  if (first === undefined) return undefined;
  const portIds = upcallPortIds(datapath);
  const sockets = datapath.channel.inside(() => socketsOf(portIds));
  const pid = pids.find((candidate) => holdsOneOf(candidate, sockets));
  if (pid !== undefined) return { pid, certain: true };
  return datapath.name === ITS_DATAPATH ? { pid: first, certain: false } : undefined;
}

/**
 * Refuses to load into a datapath that ovs-vswitchd runs.
 * @param remedy what to do instead, in words
 * @param force whether to go on anyway
 * @returns with `force`, the consequences for a load, in words
 * @throws MillraceError `OWNED`
 */
export function refuseOwned(
  datapath: DatapathHandle,
  remedy: string,
  force = false,
): string | undefined {
  const owner = datapathOwner(datapath);
  if (owner === undefined) return undefined;
  const { pid, certain } = owner;
  const text =
    `ovs-vswitchd (process ${pid}) ${certain ? "runs" : "seems to run"} the datapath ` +
    `${datapath.name}: it deletes flows that it did not make, within seconds`;
  if (!force) throw new MillraceError("OWNED", `${text}${remedy}`);
  return text;
}

/** The ovs-vswitchd processes in the channel's network namespace. */
export function vswitchdProcesses(channel: OvsChannel): number[] {
  const pids = processesNamed(VSWITCHD);
  if (pids.length === 0) return [];
  const here = channel.inside(() => readLink("/proc/thread-self/ns/net"));
  return pids.filter((pid) => isIn(pid, here));
}

/** The netlink port ids that receive the missed packets of a datapath. */
function upcallPortIds(datapath: DatapathHandle): ReadonlySet<number> {
  const found = new Set(infoOf(datapath).perCpuPortIds);
  for (const port of listPorts(datapath)) {
    for (const id of port.upcallPortIds) found.add(id);
  }
  // 0 means no receiver.
  found.delete(0);
  return found;
}

function processesNamed(name: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && readText(`/proc/${entry}/comm`).trim() === name)
    .map(Number);
}

/** The links in /proc/PID/fd of the netlink sockets with these port ids, from the namespace's list. */
function socketsOf(portIds: ReadonlySet<number>): ReadonlySet<string> {
  const found = new Set<string>();
  // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
  for (const line of readText("/proc/thread-self/net/netlink").split("\n").slice(1)) {
    const columns = line.trim().split(/\s+/);
    if (portIds.has(Number(columns[2]))) found.add(`socket:[${columns.at(-1)}]`);
  }
  return found;
}

// Also false if this process may not look.
function holdsOneOf(pid: number, sockets: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((fd) => sockets.has(readLink(`${folder}/${fd}`)));
  } catch {
    return false;
  }
}

// If unknown, it counts as the same.
function isIn(pid: number, here: string): boolean {
  const namespace = readLink(`/proc/${pid}/ns/net`);
  return namespace === "" || namespace === here;
}

// The target of a link; empty if the link is gone meanwhile.
function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/**
 * The content of a file of /proc or /sys; empty if it cannot be read, for example because a process
 * ended meanwhile.
 */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
