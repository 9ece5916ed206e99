import { sameDeeds } from "../load/settle/same-flow.ts";
import { LoadOrder } from "../flow/load-order.ts";
import { copyFlow, type FlowParts, haveSameUfid, newFlowParts } from "../flow/parts.ts";
import { portNamesOf } from "../flow/ports.ts";
import { FlowSetDump } from "../format/flow-set/dump.ts";
import { FlowSetWriter } from "../format/flow-set/writer.ts";
import { getCtLimits } from "../ovs/ct-limit.ts";
import { type DatapathHandle, infoOf } from "../ovs/datapath.ts";
import { dumpFlows } from "../ovs/flow.ts";
import { listPorts, type PortInfo } from "../ovs/vport.ts";
import { MillraceError } from "../sys/errors.ts";
import type { FlowTable } from "./flow-table.ts";
import { type OnRead, readDatapath, tellRead } from "./read-table.ts";
import type { SnapshotFacts, SnapshotPort } from "./snapshot-facts.ts";

/** What a snapshot keeps besides flows and ports. */
type SnapshotOptions = {
  /** Limits of connections, which are those of the network namespace. */
  readonly ctLimits?: boolean;
  /** Packets and bytes of each flow. */
  readonly counters?: boolean;
  /** Called now and then while the datapath is read, twice at least. */
  readonly onRead?: OnRead;
};

/** The facts of a taken snapshot. */
type Snapshot = SnapshotFacts & {
  readonly flows: number;
  readonly bytes: number;
  /**
   * Flows with UFIDs shorter than 16 bytes, which a flow set cannot hold: they are restored with
   * another UFID.
   */
  readonly shortUfids: number;
  /** Flows with numbers of ports that the datapath lacks: restored, they keep these numbers. */
  readonly unnamedPorts: number;
};

/** The most pairs of passes over a datapath whose flows keep changing. */
const ROUNDS_MAX = 3;

/**
 * Writes a snapshot of a datapath: a flow set, in an order that depends only on the flows, with
 * facts about the datapath. It is consistent if two passes find the same flows with the same
 * actions; if flows keep changing, it records how many differ.
 * @param write takes bytes that are valid until it returns
 * @throws MillraceError `UNSOUND_DUMP`, `MALFORMED`
 */
export function takeSnapshot(
  datapath: DatapathHandle,
  write: (bytes: Uint8Array) => void,
  { ctLimits = false, counters = false, onRead }: SnapshotOptions = {},
): Snapshot {
  const { table, moving } = readTwice(datapath, counters, onRead);
  const ports = listPorts(datapath);
  const out = new FlowSetWriter(write);
  // The local port has the number 0 in every datapath, and the datapath's name.
  const set = new FlowSetDump(out, portNamesOf(ports.filter(({ number }) => number !== 0)));
  for (const flow of inOrder(table)) {
    const kept = set.add(flow, counters);
    if (!kept)
      throw new MillraceError("MALFORMED", "the kernel sent a flow that cannot be decoded");
  }
  const facts: SnapshotFacts = {
    datapath: datapath.name,
    ports: ports.map(portOf),
    userFeatures: infoOf(datapath).userFeatures,
    ...(ctLimits ? { ctLimits: limitsOf(datapath) } : {}),
    moving,
  };
  set.finish({ snapshot: facts });
  const { shortUfids, unnamedPorts } = set;
  return { ...facts, flows: out.flows, bytes: out.bytes, shortUfids, unnamedPorts };
}

function portOf({ number, name, type, tunnel }: PortInfo): SnapshotPort {
  return { number, name, type, ...(tunnel === undefined ? {} : { tunnel }) };
}

function limitsOf({ channel }: DatapathHandle): NonNullable<SnapshotFacts["ctLimits"]> {
  return getCtLimits(channel).map(({ zone, limit }) => ({ zone, limit }));
}

/** The flows of a datapath, and how many differed in a second pass. */
function readTwice(
  datapath: DatapathHandle,
  statistics: boolean,
  onRead: OnRead | undefined,
): { table: FlowTable; moving: number } {
  for (let rounds = 1; ; rounds++) {
    const table = readDatapath(datapath, {
      statistics,
      ...(onRead === undefined ? {} : { onRead }),
    });
    const moving = differing(datapath, table, onRead);
    if (moving === 0 || rounds === ROUNDS_MAX) return { table, moving };
  }
}

/**
 * How many flows were added, removed, or got other actions or another identity since the table was
 * read.
 */
function differing(datapath: DatapathHandle, table: FlowTable, onRead: OnRead | undefined): number {
  const isThere = new Uint8Array(table.size);
  const held = newFlowParts();
  let [others, read] = [0, 0];
  for (const view of dumpFlows(datapath)) {
    tellRead(onRead, ++read, table.size);
    const number = table.find(view);
    if (number < 0) {
      others++;
      continue;
    }
    if (isThere[number] === 0 && !isUnchanged(view, table.read(number, held))) others++;
    isThere[number] = 1;
  }
  for (const there of isThere) if (there === 0) others++;
  return others;
}

function isUnchanged(view: FlowParts, held: FlowParts): boolean {
  return haveSameUfid(view, held) && sameDeeds(view, held);
}

/**
 * The flows in the order of their hashes, except that of overlapping flows the narrow one comes
 * first.
 */
function* inOrder(table: FlowTable): Generator<FlowParts, void> {
  const view = newFlowParts();
  const numbers = table.sorted();
  const order = new LoadOrder<FlowParts>(copyFlow);
  for (const number of numbers) order.learn(table.read(number, view));
  for (const number of numbers) if (order.admit(table.read(number, view))) yield view;
  yield* order.rest();
}
