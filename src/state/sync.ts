import { Flow } from "../flow/flow.ts";
import { LoadOrder } from "../flow/load-order.ts";
import { copyFlow, type FlowParts, newFlowParts } from "../flow/parts.ts";
import { type FlowException, failedFlows } from "../load/outcome.ts";
import type { LoadReport } from "../load/report.ts";
import type { LoadTarget } from "../load/send/connection.ts";
import { startLoad, type StartOptions } from "../load/start-load.ts";
import type { FlowTable } from "./flow-table.ts";
import type { Plan } from "./plan.ts";

/** How a plan is carried out. */
export type SyncOptions = {
  /** Whose the flows are that are put. Nobody's by default. */
  readonly owner?: string;
  /** Flows that are put are named as they are: they were in a kernel before. */
  readonly keepNames?: boolean;
  /** Ends the sync as a load: nothing is thrown, `ended` is `interrupted`, and what was sent is counted. */
  readonly signal?: AbortSignal;
  /** Called when flows were settled, with how many of all that the plan sends. */
  readonly onProgress?: (settled: number, all: number) => void;
};

/** What became of a plan. */
export type SyncReport = {
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
  /** Flows that were there as wanted: nothing was sent for them. */
  readonly unchanged: number;
  /** Flows of others, that were left alone. */
  readonly foreign: number;
  /** Requests that were sent. */
  readonly sent: number;
  /** Flows that did not end as wanted. */
  readonly failed: number;
  /** Flows of which nobody knows: their replies were lost, and they could not be read back. */
  readonly unknown: number;
  /** The first hundred of those that failed, or are unknown. */
  readonly errors: readonly FlowException[];
  /** As the report of a load has it: `complete`, or why it ended before. */
  readonly ended: LoadReport["ended"];
  readonly endReason: string;
};

/** As many errors are kept as a load keeps. */
const ERRORS_MAX = 100;

/**
 * Carries out a plan: deletes what is in the way, adds, changes, and deletes the rest. Where adds failed nothing more
 * is deleted: what is there may be all that carries the traffic.
 * @param held the flows of the datapath that the plan was made of
 */
export async function carryOut(
  plan: Plan,
  wanted: FlowTable,
  held: FlowTable,
  target: LoadTarget,
  options: SyncOptions = {},
): Promise<SyncReport> {
  const run = new SyncRun(target, options, countOf(plan));
  const deleted = await run.load(flowsAt(held, plan.deletesFirst), DELETE);
  const added = await run.load(inLoadOrder(wanted, plan.adds), {
    mode: "put",
    keepNames: options.keepNames === true,
  });
  const changed = await run.load(changedFlows(plan, wanted, held), CHANGE);
  const deletedLast = run.isSound ? await run.load(flowsAt(held, plan.deletes), DELETE) : 0;
  return {
    added,
    changed,
    deleted: deleted + deletedLast,
    unchanged: plan.unchanged,
    foreign: plan.foreign,
    ...run.report(),
  };
}

/** How many requests a plan takes. */
export function countOf({ deletesFirst, adds, changes, deletes }: Plan): number {
  return deletesFirst.length + adds.length + changes.length + deletes.length;
}

/** A flow that has gone meanwhile is as good as deleted. */
const DELETE = {
  mode: "delete",
  keepNames: true,
  exactIdentity: true,
  tolerate: ["ENOENT"],
} as const;

/** It was read a moment ago: reading it again, as a modify of a file has to, would double the requests. */
const CHANGE = { mode: "modify", keepNames: true, exactIdentity: true } as const;

/** The loads of one sync, one after the other: once one ends before its time, the others send nothing. */
class SyncRun {
  readonly #target: LoadTarget;
  readonly #options: SyncOptions;
  readonly #all: number;
  readonly #errors: FlowException[] = [];
  #sent = 0;
  #failed = 0;
  #unknown = 0;
  #settled = 0;
  #ended: LoadReport["ended"] = "complete";
  #endReason = "";

  constructor(target: LoadTarget, options: SyncOptions, all: number) {
    this.#target = target;
    this.#options = options;
    this.#all = all;
  }

  /** Whether all went as planned so far. */
  get isSound(): boolean {
    return this.#ended === "complete" && this.#failed === 0;
  }

  /** @returns how many flows are as wanted now */
  async load(flows: Iterable<Flow>, options: StartOptions): Promise<number> {
    if (this.#ended !== "complete") return 0;
    const { owner = "", signal, onProgress } = this.#options;
    const before = this.#settled;
    const report = await startLoad(
      this.#target,
      { items: flows },
      {
        ...options,
        owner,
        workers: 0,
        ...(signal === undefined ? {} : { signal }),
        onException: (exception) => {
          if (this.#errors.length < ERRORS_MAX) this.#errors.push(exception);
        },
      },
    );
    this.#settled = before + report.lines;
    onProgress?.(this.#settled, this.#all);
    const failed = failedFlows(report);
    const lost = options.mode === "delete" ? report.reconciled.absent : report.reconciled.present;
    this.#sent += report.lines;
    this.#failed += failed - report.unknown;
    this.#unknown += report.unknown;
    this.#ended = report.ended;
    this.#endReason = report.endReason;
    return report.applied + lost;
  }

  report(): Pick<SyncReport, "sent" | "failed" | "unknown" | "errors" | "ended" | "endReason"> {
    return {
      sent: this.#sent,
      failed: this.#failed,
      unknown: this.#unknown,
      errors: this.#errors,
      ended: this.#ended,
      endReason: this.#endReason,
    };
  }
}

function* flowsAt(table: FlowTable, numbers: readonly number[]): Generator<Flow, void> {
  const view = newFlowParts();
  for (const number of numbers) yield Flow.fromParts(table.read(number, view));
}

/** Flows in an order in which a kernel takes them: where they overlap a narrow one comes before a wide one. */
export function* inLoadOrder(table: FlowTable, numbers: readonly number[]): Generator<Flow, void> {
  const order = new LoadOrder<FlowParts>(copyFlow);
  const view = newFlowParts();
  for (const number of numbers) order.learn(table.read(number, view));
  for (const number of numbers) {
    if (order.admit(table.read(number, view))) yield Flow.fromParts(view);
  }
  for (const flow of order.rest()) yield Flow.fromParts(flow);
}

/** Flows as they are named in the datapath, with the actions that are wanted. */
function* changedFlows(
  { changes }: Plan,
  wanted: FlowTable,
  held: FlowTable,
): Generator<Flow, void> {
  const now = newFlowParts();
  const next = newFlowParts();
  for (const change of changes) {
    held.read(change.held, now);
    wanted.read(change.wanted, next);
    yield Flow.fromParts(withActionsOf(now, next));
  }
}

function withActionsOf(flow: FlowParts, { bytes, actions }: FlowParts): FlowParts {
  const own = copyFlow(flow);
  const length = actions.end - actions.start;
  const joined = new Uint8Array(own.bytes.length + length);
  joined.set(own.bytes);
  joined.set(bytes.subarray(actions.start, actions.end), own.bytes.length);
  return {
    ...own,
    bytes: joined,
    actions: { start: own.bytes.length, end: joined.length },
  };
}
