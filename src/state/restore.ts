import { newFlowParts } from "../flow/parts.ts";
import { FlowSetReader } from "../format/flow-set/reader.ts";
import type { ByteSource } from "../format/source.ts";
import { type CtLimit, getCtLimits, setCtLimits } from "../ovs/ct-limit.ts";
import type { OvsChannel } from "../ovs/channel.ts";
import {
  createDatapath,
  type DatapathHandle,
  deleteDatapath,
  handleOf,
  kernelName,
  listDatapaths,
} from "../ovs/datapath.ts";
import { addPort, isPortType, listPorts } from "../ovs/vport.ts";
import { MillraceError } from "../sys/errors.ts";
import type { FlowTable } from "./flow-table.ts";
import { type SnapshotFacts, snapshotFacts, type SnapshotPort } from "./snapshot-facts.ts";
import { redirect, socketsOf } from "./user-sockets.ts";

/**
 * Reads a flow set to its end for the facts about its datapath.
 * @returns undefined if it is not a snapshot
 * @throws UnreadableInputError if it is damaged
 */
export async function readSnapshotFacts(source: ByteSource): Promise<SnapshotFacts | undefined> {
  const reader = new FlowSetReader(source);
  do while (reader.next());
  while (await reader.fill());
  return snapshotFacts(reader.snapshot);
}

/**
 * Creates what a snapshot's datapath had and this one lacks: the datapath, its ports, its limits of
 * connections.
 * @param create if false, anything missing is an error
 * @returns the datapath, and whether it was created
 * @throws MillraceError `NO_DATAPATH`, `NO_PORT`, `NO_INTERFACE`, `NO_PERMISSION`
 */
export function prepareDatapath(
  channel: OvsChannel,
  name: string,
  facts: SnapshotFacts | undefined,
  create: boolean,
): { readonly datapath: DatapathHandle; readonly isNew: boolean } {
  const found = listDatapaths(channel).find((known) => known.name === kernelName(name));
  if (found === undefined && !create) {
    throw new MillraceError("NO_DATAPATH", `there is no datapath ${name}; --create creates it`);
  }
  const made = found ?? createDatapath(channel, name, { userFeatures: facts?.userFeatures ?? 0 });
  const datapath = handleOf(channel, made);
  const there = new Set(listPorts(datapath).map((port) => port.name));
  const missing = (facts?.ports ?? []).filter((port) => port.number !== 0 && !there.has(port.name));
  if (missing.length > 0 && !create) {
    const names = missing.map((port) => port.name).join(", ");
    throw new MillraceError("NO_PORT", `${name} lacks these ports: ${names}; --create adds them`);
  }
  try {
    for (const port of missing) makePort(datapath, port);
  } catch (error) {
    // A datapath without its ports is no restored one: it goes with the attempt.
    if (found === undefined) deleteDatapath(channel, name);
    throw error;
  }
  if (create) addMissingLimits(channel, facts?.ctLimits ?? []);
  return { datapath, isNew: found === undefined };
}

// Sets limits of zones that have none. They apply to all datapaths, so existing ones stay.
function addMissingLimits(channel: OvsChannel, limits: readonly CtLimit[]): void {
  if (limits.length === 0) return;
  const limited = new Set(
    getCtLimits(channel).flatMap(({ zone, limit }) => (limit === 0 ? [] : [zone])),
  );
  const missing = limits.filter(({ zone }) => !limited.has(zone));
  if (missing.length > 0) setCtLimits(channel, missing);
}

// Creates a port by name only: its number in the old datapath may be taken here.
function makePort(datapath: DatapathHandle, { name, type, tunnel }: SnapshotPort): void {
  if (!isPortType(type)) {
    throw new MillraceError("NOT_SUPPORTED", `the port ${name} is of ${type}, which is unknown`);
  }
  addPort(datapath, name, { type, ...(tunnel === undefined ? {} : { tunnel }) });
}

/**
 * Redirects flows that send packets to a socket.
 * @param portId the netlink port id of the new socket; if undefined, there must be no such flow
 * @throws MillraceError `FOREIGN_SOCKET`
 */
export function settleSockets(table: FlowTable, portId: number | undefined): void {
  const view = newFlowParts();
  const ids = new Set<number>();
  let flows = 0;
  for (let index = 0; index < table.size; index++) {
    const found = socketsOf(table.read(index, view));
    if (found.length === 0) continue;
    flows++;
    for (const id of found) ids.add(id);
    if (portId !== undefined) redirect(view, portId);
  }
  if (flows === 0 || portId !== undefined) return;
  const named = [...ids].slice(0, 5).join(", ");
  throw new MillraceError(
    "FOREIGN_SOCKET",
    `sockets of a process that ran when the snapshot was taken (pid=${named}) get the packets of ${flows} of its flows; --userspace-pid names the socket that gets them now`,
  );
}
