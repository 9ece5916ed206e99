import type { FlowParts } from "../flow/parts.ts";
import { type PortNames, portNamesOf } from "../flow/ports.ts";
import { UnreadableInputError } from "../format/source.ts";
import type { LoadProgress } from "../load/load.ts";
import type { FlowException } from "../load/outcome.ts";
import { type LoadInput, startLoad } from "../load/start-load.ts";
import { type DatapathHandle, infoOf } from "../ovs/datapath.ts";
import { doubtInWords, doubtOf, type DumpDoubt } from "../ovs/dump-check.ts";
import { dumpFlows } from "../ovs/flow.ts";
import { MillraceError } from "../sys/errors.ts";
import { Comparison, type DiffOptions, type TakenFlow } from "./diff.ts";
import { FlowTable, type FlowTableOptions } from "./flow-table.ts";

/** Called now and then while a datapath is read. @param all the flows that it has, about */
export type OnRead = (flows: number, all: number) => void;

/** A call of {@link OnRead} after each so many flows. */
const TOLD_FLOWS = 4096;

/** How a datapath is read. */
type ReadDatapathOptions = FlowTableOptions & { readonly onRead?: OnRead };

/** How often the datapath is dumped if its flows change during each dump. */
const DUMPS_MAX = 3;

/**
 * Reads the flows of a datapath. A dump during which flows changed is repeated.
 * @throws MillraceError `UNSOUND_DUMP` if they keep changing
 */
export function readDatapath(
  datapath: DatapathHandle,
  { onRead, ...options }: ReadDatapathOptions = {},
): FlowTable {
  return readSoundly(
    { datapath, onRead },
    (expected) => new FlowTable({ ...options, expected }),
    (table, flow) => {
      const { size } = table;
      const number = table.put(flow);
      return number < 0 ? "unreadable" : number === size ? "new" : "repeated";
    },
  );
}

/**
 * Compares the flows of a datapath with a set while it is read, as {@link readDatapath} reads it.
 * @throws MillraceError `UNSOUND_DUMP`
 */
export function compareDatapath(
  before: FlowTable,
  datapath: DatapathHandle,
  { onRead, ...options }: DiffOptions & { readonly onRead?: OnRead } = {},
): Comparison {
  return readSoundly(
    { datapath, onRead },
    () => new Comparison(before, options),
    (comparison, flow) => comparison.take(flow),
  );
}

// Offers the flows of a datapath to what `start` makes, anew for each dump. What is made knows which
// flows came before, so that a dump is checked as by `DumpCheck`, without a second memory of them.
function readSoundly<T>(
  { datapath, onRead }: { readonly datapath: DatapathHandle; readonly onRead: OnRead | undefined },
  start: (expected: number) => T,
  take: (into: T, flow: FlowParts) => TakenFlow,
): T {
  const count = (): number => infoOf(datapath).stats.flows;
  let doubt: DumpDoubt | undefined;
  for (let dumps = 0; dumps < DUMPS_MAX; dumps++) {
    const before = count();
    const into = start(before);
    let [dumped, repeated] = [0, 0];
    for (const view of dumpFlows(datapath)) {
      const taken = take(into, view);
      if (taken === "new") dumped++;
      else if (taken === "repeated") repeated++;
      else throw new MillraceError("MALFORMED", "the kernel sent a flow that cannot be decoded");
      tellRead(onRead, dumped + repeated, before);
    }
    doubt = doubtOf({ dumped, repeated, before, after: count() });
    if (doubt === undefined) return into;
  }
  const why = doubt === undefined ? "" : doubtInWords(doubt);
  throw new MillraceError("UNSOUND_DUMP", `${datapath.name}: ${why}, ${DUMPS_MAX} times`);
}

/** Calls `onRead` now and then, if it is called with each number of flows read. */
export function tellRead(onRead: OnRead | undefined, read: number, all: number): void {
  if (read % TOLD_FLOWS === 0) onRead?.(read, all);
}

/** Options for reading an input into a table. */
export type ReadTableOptions = {
  /** The flows' owner, who is part of the UFIDs of flows without a given one. None by default. */
  readonly owner?: string;
  /** The ports that flows may name; none by default. */
  readonly ports?: PortNames;
  readonly signal?: AbortSignal;
  /** Called at most every 50 ms. */
  readonly onProgress?: (progress: LoadProgress) => void;
};

/** The flows of an input, and the lines that cannot be part of a set. */
type ReadTable = {
  readonly table: FlowTable;
  /** How many lines were refused: if any, the flows are incomplete. */
  readonly refused: number;
  /** How many flows were replaced by a later one that matches the same packets. */
  readonly replaced: number;
  /** The first hundred refused lines. */
  readonly errors: readonly FlowException[];
};

/**
 * Reads the flows of an input, of any format. Of two flows that match the same packets, the later
 * one counts, as in a load.
 * @throws UnreadableInputError; MillraceError `INTERRUPTED`
 */
export async function readTable(
  input: LoadInput,
  options: ReadTableOptions = {},
): Promise<ReadTable> {
  const table = new FlowTable();
  const { owner = "", ports = portNamesOf([]), signal, onProgress } = options;
  const strange: FlowException[] = [];
  let strangeLines = 0;
  let replaced = 0;
  const report = await startLoad("dry", input, {
    owner,
    ports,
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
    onFlow: (flow, verb, line) => {
      if (verb === "put" || verb === "add") {
        const { size } = table;
        if (table.put(flow) < size) replaced++;
      } else if (strangeLines++ < ERRORS_MAX) strange.push(verbInSet(verb, line));
    },
  });
  if (report.ended === "interrupted") {
    throw new MillraceError("INTERRUPTED", "interrupted while its input was read");
  }
  if (report.ended === "unreadable") {
    const { endCause: cause, endReason } = report;
    // A script that gives the flows gets its own error back; of a file, the reason says more.
    if (!("source" in input) && cause instanceof Error) throw cause;
    throw new UnreadableInputError(endReason, { cause });
  }
  const errors = [...report.errors, ...strange].slice(0, ERRORS_MAX);
  return { table, refused: report.refused + strangeLines, replaced, errors };
}

/** The most errors kept, as in the report of a load. */
const ERRORS_MAX = 100;

function verbInSet(verb: string, line: number): FlowException {
  const reason = `a set of flows has no ${verb}: it says which flows there are`;
  return { line, column: 1, state: "refused", errno: 0, code: "FLOW_SYNTAX", reason, text: verb };
}
