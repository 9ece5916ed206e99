import { type FlowSource, inputOf } from "./flow-source.ts";
import { Flow } from "./flow/flow.ts";
import { InventedPorts, type NumberedPort, portNamesOf } from "./flow/ports.ts";
import { type DifferenceOf, type DiffOptions, diffTables } from "./state/diff.ts";
import type { LoadInput } from "./load/start-load.ts";
import type { LoadTarget } from "./load/send/connection.ts";
import { portNames } from "./ovs/vport.ts";
import { FlowTable } from "./state/flow-table.ts";
import { openSet } from "./state/open-set.ts";
import { readTable, type ReadTableOptions } from "./state/read-table.ts";
import {
  NOTHING_SENT,
  synchronize,
  type SynchronizeOptions,
  type SyncResult,
} from "./state/synchronize.ts";
import { MillraceError } from "./sys/errors.ts";

/** How flows are read into a table. */
export type ReadFlowsOptions = {
  /** The flows' owner, who is part of the UFIDs of flows without a given one. None by default. */
  readonly owner?: string;
  /**
   * The ports that flows may name, such as `dp.ports()`. By default, ports of a snapshot have their
   * numbers in it, and other names get invented numbers.
   */
  readonly ports?: readonly NumberedPort[];
  /** Ends the reading by throwing its reason, since a part of a set is a different set. */
  readonly signal?: AbortSignal;
};

/**
 * Reads the flows of a file, or of any other source of a load, into a table. To compare
 * it with a datapath's table, give the ports of that.
 * @throws UnreadableInputError; the reason of the signal; MillraceError with the code of the first
 * line that is not a flow
 */
export async function readFlows(
  source: FlowSource,
  options: ReadFlowsOptions = {},
): Promise<FlowTable> {
  const { ports, ...others } = options;
  const input = inputOf(source);
  if (ports !== undefined) return completeTable(input, { ...others, ports: portNamesOf(ports) });
  if (!("source" in input)) return completeTable(input, { ...others, ports: new InventedPorts() });
  const set = await orReason(openSet(input.source, options.signal), options.signal);
  const names = new InventedPorts(set.facts?.ports);
  return completeTable({ ...input, source: set.source }, { ...others, ports: names });
}

/** A difference between two sets, in flows. */
export type Difference = DifferenceOf<Flow>;

/**
 * The differences between two sets: the flows that `after` has and `before` lacks or has with other
 * actions, then those in `before` alone. Two flows are the same if they match the same packets.
 */
export function* diff(
  before: FlowTable,
  after: FlowTable,
  options: DiffOptions = {},
): Generator<Difference, void> {
  for (const found of diffTables(before, after, options)) {
    if (found.kind === "added") yield { kind: "added", after: Flow.fromParts(found.after) };
    else if (found.kind === "removed") {
      yield { kind: "removed", before: Flow.fromParts(found.before) };
    } else {
      const { kind, what } = found;
      yield {
        kind,
        what,
        before: Flow.fromParts(found.before),
        after: Flow.fromParts(found.after),
      };
    }
  }
}

/** The flows that a datapath should have: a table, or any source of a load. */
export type WantedFlows = FlowSource | FlowTable;

/** Options of the library's syncs. */
export type DatapathSyncOptions = SynchronizeOptions & {
  /**
   * Whether to sync even if ovs-vswitchd runs the datapath; it deletes flows that it did not make
   * within seconds.
   */
  readonly force?: boolean;
};

/** As {@link synchronize}, for flows in any form. */
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
    const wanted =
      source instanceof FlowTable ? source : await completeTable(inputOf(source), read);
    return await synchronize(target, wanted, { ...options, owner });
  } catch (error) {
    // A signal while flows are sent ends the sync as it ends a load.
    if (signal?.aborted === true && error === signal.reason) return INTERRUPTED;
    throw error;
  }
}

/** The result of a sync that was ended before anything was sent. */
const INTERRUPTED: SyncResult = { ...NOTHING_SENT, ended: "interrupted" };

// Reads a complete set: syncing one without some of its flows would delete those.
async function completeTable(input: LoadInput, options: ReadTableOptions): Promise<FlowTable> {
  const { table, errors } = await orReason(readTable(input, options), options.signal);
  const [first] = errors;
  if (first === undefined) return table;
  throw new MillraceError(first.code, `line ${first.line}: ${first.reason}`);
}

/** Throws the reason of the signal in place of what the work throws once it was aborted. */
function orReason<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return work.catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
}
