import type { LineVerb } from "../../src/flow/line.ts";
import { FlowsFeed } from "../../src/format/flows-feed.ts";
import { loadSync } from "../../src/load/load.ts";
import { Account } from "../../src/load/account.ts";
import { OutcomeTable } from "../../src/load/outcome-table.ts";
import type { LoadReport } from "../../src/load/report.ts";
import type { ConnectionCache } from "../../src/load/send/connection.ts";
import { Sender, type SenderOptions } from "../../src/load/send/sender.ts";
import { completeBatching, type Batching } from "../../src/load/send/batching.ts";
import type { ScriptedDatapath } from "../ovs/scripted-datapath.ts";

/** How {@link loadInto} loads. */
export type ScriptedLoad = Omit<SenderOptions, "batching" | "tolerate"> & {
  readonly ufid?: boolean;
  readonly mode?: LineVerb;
  /** Flows of a batch, in datagrams of two. */
  readonly flowsPerBatch?: number;
  readonly tolerate?: readonly number[];
  readonly connections?: ConnectionCache;
  readonly owner?: string;
};

/** The result of a load. */
export type Loaded = {
  readonly report: LoadReport;
  /** The outcome of each line: its state, and its errno if any. */
  readonly ends: readonly string[];
};

/** Batches of so many flows. */
function batchingOf(flowsPerBatch: number): Batching {
  return completeBatching({
    messagesPerDatagram: Math.min(2, flowsPerBatch),
    datagramsPerCall: Math.ceil(flowsPerBatch / 2),
    replyCostBytes: 1024,
  });
}

/** Loads lines into a datapath in memory. */
export function loadInto(
  dp: ScriptedDatapath,
  lines: Iterable<string>,
  options: ScriptedLoad = {},
): Loaded {
  const {
    ufid = true,
    mode,
    flowsPerBatch = 8,
    tolerate = [],
    connections,
    owner,
    ...rest
  } = options;
  const table = new OutcomeTable();
  const sender = new Sender(
    {
      datapath: dp.handle,
      ...(connections === undefined ? {} : { connections }),
      ...(owner === undefined ? {} : { owner }),
    },
    new Account(undefined, table),
    { senders: 1, ...rest, batching: batchingOf(flowsPerBatch), tolerate: new Set(tolerate) },
  );
  const feed = new FlowsFeed("lines", lines, {
    ufid,
    ...(mode === undefined ? {} : { mode }),
    ...(owner === undefined ? {} : { owner }),
  });
  const report = loadSync(feed, sender);
  const ends = Array.from({ length: table.count }, (_, i) => {
    const errno = table.errnoOf(i);
    return errno === 0 ? table.stateOf(i) : `${table.stateOf(i)} ${errno}`;
  });
  return { report, ends };
}
