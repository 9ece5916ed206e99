import { Flow } from "./flow/flow.ts";
import type { FlowFilter } from "./flow/filter/filter.ts";
import { type FlowException, failedFlows } from "./load/outcome.ts";
import type { LoadReport } from "./load/report.ts";
import type { LoadTarget } from "./load/send/connection.ts";
import { startLoad } from "./load/start-load.ts";
import { noPermission } from "./netlink/channel.ts";
import { infoOf } from "./ovs/datapath.ts";
import { DumpCheck, type DumpDoubt } from "./ovs/dump-check.ts";
import { dumpFlows } from "./ovs/flow.ts";
import { ENOENT, EPERM } from "./sys/errno.ts";

/** The most flows held at a time: some 64 MiB. */
const PASS_FLOWS = 65_536;

/** Options of a deletion by filter. */
export type RemoveOptions = {
  /**
   * Ends it as it ends a load: nothing is thrown, `ended` is `interrupted`, and deleted flows are
   * counted.
   */
  readonly signal?: AbortSignal;
};

/** The outcome of the flows that pass a filter. */
export type RemovedFlows = {
  readonly removed: number;
  /** Flows that were gone, or replaced by others, before they could be deleted. */
  readonly gone: number;
  /** Flows that still exist. */
  readonly failed: number;
  /** Flows with unknown outcomes: their replies were lost, and they could not be read back. */
  readonly unknown: number;
  /** The first hundred failed or unknown flows. */
  readonly exceptions: readonly FlowException[];
  /** As in the report of a load: `complete`, or why it ended early. */
  readonly ended: LoadReport["ended"];
  readonly endReason: string;
  /** Why the dump may have lacked flows; undefined if there is no doubt. */
  readonly doubt: DumpDoubt | undefined;
};

/** The most exceptions that are kept. */
const EXCEPTIONS_MAX = 100;

/**
 * Deletes the flows that pass a filter: dumps them, and deletes each by its identity if that is
 * still a flow that matches the same packets. Deleting during a dump would make the dump lack
 * flows, so the dump ends first. For many flows, this repeats in passes of bounded memory.
 * @throws MillraceError `NO_PERMISSION`
 */
export async function removeWhere(
  target: LoadTarget,
  where: FlowFilter,
  { signal }: RemoveOptions,
): Promise<RemovedFlows> {
  const exceptions: FlowException[] = [];
  const result = { removed: 0, gone: 0, failed: 0, unknown: 0, exceptions };
  const held = infoOf(target.datapath).stats.flows;
  // Ends even if another program puts flows back meanwhile.
  for (let left = held; ; left -= PASS_FLOWS) {
    const check = DumpCheck.of(target.datapath);
    const { flows, isAll } = collect(target, where, check);
    const doubt = isAll ? check.doubt() : undefined;
    // Lets a signal that came during the dump be handled before any flow is deleted.
    await Bun.sleep(0);
    if (signal?.aborted === true) return { ...result, ended: "interrupted", endReason: "", doubt };
    const onException = (exception: FlowException): void => {
      if (exception.state === "rejected" && exception.errno === ENOENT) result.gone++;
      else if (exceptions.length < EXCEPTIONS_MAX) exceptions.push(exception);
    };
    const goneBefore = result.gone;
    // Flows of any owner: each is deleted by the identity that it has.
    const options = { mode: "delete", keepNames: true, workers: 0, onException } as const;
    const report = await startLoad(
      target,
      { items: flows },
      signal === undefined ? options : { ...options, signal },
    );
    if (report.endErrno === EPERM) throw noPermission("deleting flows");
    const failures = failedFlows(report) - (result.gone - goneBefore);
    result.removed += report.applied + report.reconciled.absent;
    result.unknown += report.unknown;
    result.failed += failures - report.unknown;
    const { ended, endReason } = report;
    const isDone = isAll || left <= PASS_FLOWS || failures > 0 || ended !== "complete";
    if (isDone) return { ...result, ended, endReason, doubt };
  }
}

/** The flows that pass a filter, at most as many as are held at a time. */
function collect(
  { datapath }: LoadTarget,
  where: FlowFilter,
  check: DumpCheck,
): { flows: Flow[]; isAll: boolean } {
  const flows: Flow[] = [];
  const isWanted = where.ofDump();
  let { repeated } = check;
  for (const view of dumpFlows(datapath, { check })) {
    // One that comes again would count twice, if the reply to its second delete were lost.
    const isAgain = check.repeated > repeated;
    ({ repeated } = check);
    if (isAgain || !isWanted(view)) continue;
    if (flows.length === PASS_FLOWS) return { flows, isAll: false };
    flows.push(Flow.fromParts(view));
  }
  return { flows, isAll: true };
}
