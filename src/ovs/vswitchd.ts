import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { MillraceError } from "../sys/errors.ts";
import type { OvsChannel } from "./channel.ts";
import { type DatapathHandle, infoOf } from "./datapath.ts";
import { listPorts } from "./vport.ts";

/** The daemon's name as /proc/PID/comm has it. */
const VSWITCHD = "ovs-vswitchd";

/** The one datapath that it makes in a kernel, for all its bridges (`open_dpif_backer` in ofproto-dpif.c). */
const ITS_DATAPATH = "ovs-system";

/** The process that runs a datapath: it makes its flows, and deletes those that it does not know. */
type DatapathOwner = {
  readonly pid: number;
  /**
   * Its sockets get the packets that miss. Otherwise it runs, and the datapath has the name of its own:
   * kernels do not tell who gets the packets by CPU, and to look into other processes takes a right.
   */
  readonly certain: boolean;
};

/**
 * Whether ovs-vswitchd runs a datapath. It revalidates the flows of its datapath all the time, and
 * deletes within seconds what it did not make (`revalidate` in OVS's ofproto/ofproto-dpif-upcall.c).
 * @returns undefined where it does not run here, or runs another datapath
 */
function datapathOwner(datapath: DatapathHandle): DatapathOwner | undefined {
  // Nobody runs what is in a kernel in memory.
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
 * @param remedy what may be done instead, in words
 * @param force go on all the same
 * @returns what it means for a load, in words, where it goes on all the same
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

/** The netlink port ids that get the packets of a datapath that find no flow. */
function upcallPortIds(datapath: DatapathHandle): ReadonlySet<number> {
  const found = new Set(infoOf(datapath).perCpuPortIds);
  for (const port of listPorts(datapath)) {
    for (const id of port.upcallPortIds) found.add(id);
  }
  // 0: nobody.
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

// False too where this process may not look.
function holdsOneOf(pid: number, sockets: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((fd) => sockets.has(readLink(`${folder}/${fd}`)));
  } catch {
    return false;
  }
}

// Where it cannot be told it counts as the same.
function isIn(pid: number, here: string): boolean {
  const namespace = readLink(`/proc/${pid}/ns/net`);
  return namespace === "" || namespace === here;
}

// What has gone between two looks counts as empty.
function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** What is in a file of the kernel; nothing where it cannot be read: a process may end between two looks. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
