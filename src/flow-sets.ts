import { type FlowSource, inputOf } from "./flow-source.ts";
import { InventedPorts } from "./flow/ports.ts";
import type { LoadTarget } from "./load/send/connection.ts";
import { portNames } from "./ovs/vport.ts";
import { FlowTable } from "./state/flow-table.ts";
import { readTable, type ReadTableOptions } from "./state/read-table.ts";
import { synchronize, type SynchronizeOptions, type SyncResult } from "./state/synchronize.ts";
import { MillraceError } from "./sys/errors.ts";

/** How flows are read into a table. */
export type ReadFlowsOptions = {
  /** Whose flows they are: it goes into the UFIDs of those that were given none. Nobody's by default. */
  readonly owner?: string;
  /** Ends the reading: its reason is thrown, for a part of a set is another set. */
  readonly signal?: AbortSignal;
};

/**
 * Reads the flows of a file, or of what else a load takes, into a table. Names of ports get numbers of their own:
 * `Datapath.sync` of a file knows those of its datapath.
 * @throws UnreadableInputError; the reason of the signal; MillraceError with the code of the first line that is no flow
 */
export async function readFlows(
  source: FlowSource,
  options: ReadFlowsOptions = {},
): Promise<FlowTable> {
  return completeTable(source, { ...options, ports: new InventedPorts() });
}

/** The flows that a datapath is to have: a table, or what a load takes. */
export type WantedFlows = FlowSource | FlowTable;

/** How the library syncs. */
export type DatapathSyncOptions = SynchronizeOptions & {
  /** Sync also where ovs-vswitchd runs the datapath, and deletes what it did not make within seconds. */
  readonly force?: boolean;
};

/** As {@link synchronize}, of flows in any form. */
export async function syncInto(
  target: LoadTarget,
  source: WantedFlows,
  options: SynchronizeOptions,
): Promise<SyncResult> {
  const { owner = target.owner ?? "", signal } = options;
  const read = {
    owner,
    ports: portNames(target.datapath),
    ...(signal === undefined ? {} : { signal }),
  };
  try {
    const wanted = source instanceof FlowTable ? source : await completeTable(source, read);
    return await synchronize(target, wanted, { ...options, owner });
  } catch (error) {
    // While flows are sent a signal ends the sync as it ends a load.
    if (signal?.aborted === true && error === signal.reason) return INTERRUPTED;
    throw error;
  }
}

/** A sync that was ended before anything was sent. */
const INTERRUPTED: SyncResult = {
  added: 0,
  changed: 0,
  deleted: 0,
  unchanged: 0,
  foreign: 0,
  sent: 0,
  failed: 0,
  unknown: 0,
  errors: [],
  ended: "interrupted",
  endReason: "",
  conflicts: [],
  planned: 0,
  differing: null,
  rolledBack: null,
};

// A set without some of its flows is another set, and syncing it would delete those.
async function completeTable(source: FlowSource, options: ReadTableOptions): Promise<FlowTable> {
  const { table, errors } = await readTable(inputOf(source), options).catch((error: unknown) => {
    options.signal?.throwIfAborted();
    throw error;
  });
  const [first] = errors;
  if (first === undefined) return table;
  throw new MillraceError(first.code, `line ${first.line}: ${first.reason}`);
}
