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

/** Flows that are held at a time: some 64 MiB. */
const PASS_FLOWS = 65_536;

/** How flows are deleted. */
export type RemoveOptions = {
  /** Ends it as a load: nothing is thrown, `ended` is `interrupted`, and what was deleted is counted. */
  readonly signal?: AbortSignal;
};

/** What became of the flows that a filter means. */
export type RemovedFlows = {
  readonly removed: number;
  /** Those that were gone, or others in their place, when they were to be deleted. */
  readonly gone: number;
  /** Those that are there still. */
  readonly failed: number;
  /** Those of which nobody knows: their replies were lost, and they could not be read back. */
  readonly unknown: number;
  /** The first hundred of those that failed, or are unknown. */
  readonly exceptions: readonly FlowException[];
  /** As the report of a load has it: `complete`, or why it ended before. */
  readonly ended: LoadReport["ended"];
  readonly endReason: string;
  /** Why the dump may have lacked some; undefined where it did not. */
  readonly doubt: DumpDoubt | undefined;
};

/** Exceptions that are kept. */
const EXCEPTIONS_MAX = 100;

/**
 * Deletes the flows that a filter means: dumps them, and deletes each by what names it, where that is still a flow
 * that matches the same packets. Deleting beside a dump would make it lack flows, so one ends before the other begins:
 * where there are many flows that happens several times, and the memory stays small.
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
  // Whoever puts flows back meanwhile does not keep this from ending.
  for (let left = held; ; left -= PASS_FLOWS) {
    const check = DumpCheck.of(target.datapath);
    const { flows, isAll } = collect(target, where, check);
    const doubt = isAll ? check.doubt() : undefined;
    // A signal that came while flows were dumped is heard here, before any is deleted.
    await Bun.sleep(0);
    if (signal?.aborted === true) return { ...result, ended: "interrupted", endReason: "", doubt };
    const onException = (exception: FlowException): void => {
      if (exception.state === "rejected" && exception.errno === ENOENT) result.gone++;
      else if (exceptions.length < EXCEPTIONS_MAX) exceptions.push(exception);
    };
    const goneBefore = result.gone;
    // Whoever's they are: each is deleted by the name that it has.
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

/** The flows that a filter means, as many as are held at a time. */
function collect(
  { datapath }: LoadTarget,
  where: FlowFilter,
  check: DumpCheck,
): { flows: Flow[]; isAll: boolean } {
  const flows: Flow[] = [];
  const isWanted = where.ofDump();
  for (const view of dumpFlows(datapath, { check })) {
    if (!isWanted(view)) continue;
    if (flows.length === PASS_FLOWS) return { flows, isAll: false };
    flows.push(Flow.fromParts(view));
  }
  return { flows, isAll: true };
}
