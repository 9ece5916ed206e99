import { type FlowSource, inputOf } from "./flow-source.ts";
import { InventedPorts } from "./flow/ports.ts";
import type { FlowException } from "./load/outcome.ts";
import type { LoadTarget } from "./load/send/connection.ts";
import { portNames } from "./ovs/vport.ts";
import { FlowTable } from "./state/flow-table.ts";
import { readTable } from "./state/read-table.ts";
import { synchronize, type SynchronizeOptions, type SyncResult } from "./state/synchronize.ts";
import { MillraceError } from "./sys/errors.ts";

/** How flows are read into a table. */
export type ReadFlowsOptions = {
  /** Whose flows they are: it goes into the UFIDs of those that were given none. Nobody's by default. */
  readonly owner?: string;
  readonly signal?: AbortSignal;
};

/**
 * Reads the flows of a file, or of what else a load takes, into a table. Names of ports get numbers of their own:
 * `Datapath.sync` of a file knows those of its datapath.
 * @throws UnreadableInputError; MillraceError with the code of the first line that is no flow
 */
export async function readFlows(
  source: FlowSource,
  options: ReadFlowsOptions = {},
): Promise<FlowTable> {
  const read = await readTable(inputOf(source), { ...options, ports: new InventedPorts() });
  return completeTable(read);
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
  const { owner = target.owner ?? "" } = options;
  const read = { owner, ports: portNames(target.datapath) };
  const wanted =
    source instanceof FlowTable ? source : completeTable(await readTable(inputOf(source), read));
  return synchronize(target, wanted, { ...options, owner });
}

// A set without some of its flows is another set, and syncing it would delete those.
function completeTable({
  table,
  errors: [first],
}: {
  table: FlowTable;
  errors: readonly FlowException[];
}): FlowTable {
  if (first === undefined) return table;
  throw new MillraceError(first.code, `line ${first.line}: ${first.reason}`);
}
