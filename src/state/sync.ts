import { Flow } from "../flow/flow.ts";
import { LoadOrder } from "../flow/load-order.ts";
import { copyFlow, type FlowParts, newFlowParts } from "../flow/parts.ts";
import { type FlowException, failedFlows } from "../load/outcome.ts";
import type { LoadReport } from "../load/report.ts";
import type { LoadTarget } from "../load/send/connection.ts";
import { startLoad, type StartOptions } from "../load/start-load.ts";
import { noPermission } from "../netlink/channel.ts";
import { EPERM } from "../sys/errno.ts";
import { FlowTable } from "./flow-table.ts";
import type { Plan } from "./plan.ts";

/** Options for carrying out a plan. */
export type SyncOptions = {
  /** The owner of the flows that are put; none by default. */
  readonly owner?: string;
  /** Whether put flows keep their identities, because they were in a kernel before. */
  readonly keepNames?: boolean;
  /** Receives the flows that were put, changed or deleted, or may have been: what a rollback undoes. */
  readonly touched?: FlowTable;
  /**
   * Ends the sync as it ends a load: nothing is thrown, `ended` is `interrupted`, and sent requests
   * are counted.
   */
  readonly signal?: AbortSignal;
  /** Called while flows are settled, with their number and the total of the plan. */
  readonly onProgress?: (settled: number, all: number) => void;
};

/** The result of a plan. */
export type SyncReport = {
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
  /** Flows that already were as wanted: nothing was sent for them. */
  readonly unchanged: number;
  /** Flows of other owners, which were left alone. */
  readonly foreign: number;
  /** Requests that were sent, those that read a flow again included. */
  readonly sent: number;
  /** Flows that did not end as wanted. */
  readonly failed: number;
  /** Flows with unknown outcomes: their replies were lost, and they could not be read back. */
  readonly unknown: number;
  /** The first hundred failed or unknown flows. */
  readonly errors: readonly FlowException[];
  /** As in the report of a load: `complete`, or why it ended early. */
  readonly ended: LoadReport["ended"];
  readonly endReason: string;
};

/** The most errors kept, as in the report of a load. */
const ERRORS_MAX = 100;

/**
 * Carries out a plan: deletes blocking flows, adds, changes, and deletes the rest. If adds failed,
 * nothing more is deleted: the remaining flows may be all that carry the traffic.
 * @param held the flows of the datapath from which the plan was made
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
    // A put over a flow that was not read could not be undone: its actions are unknown.
    mode: options.touched === undefined ? "put" : "add",
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

/**
 * Deletes flows that may be there.
 * @param owner the owner for whom they may have been put, and who is part of their names
 */
export async function deleteIfThere(
  flows: FlowTable,
  target: LoadTarget,
  owner = "",
): Promise<Pick<SyncReport, "sent" | "failed" | "unknown">> {
  const run = new SyncRun(target, { owner }, flows.size);
  await run.load(flows, { mode: "delete", tolerate: ["ENOENT"] });
  return run.report();
}

/** How many requests a plan takes. */
export function countOf({ deletesFirst, adds, changes, deletes }: Plan): number {
  return deletesFirst.length + adds.length + changes.length + deletes.length;
}

/**
 * The flow was just read. Reading it again, as a modify or a delete from a file must, would double
 * the requests: that is done only if its key identifies it, since a key has several masks.
 */
const JUST_READ = { keepNames: true, exactIdentity: true, knownUfids: true } as const;

/** A flow that is gone meanwhile counts as deleted. */
const DELETE = { ...JUST_READ, mode: "delete", tolerate: ["ENOENT"] } as const;

const CHANGE = { ...JUST_READ, mode: "modify" } as const;

/** The loads of one sync, one after another: once one ends early, the others send nothing. */
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
    return this.#ended === "complete" && this.#failed + this.#unknown === 0;
  }

  /** @returns how many flows are as wanted now */
  async load(flows: Iterable<Flow>, options: StartOptions): Promise<number> {
    if (this.#ended !== "complete") return 0;
    const { owner = "", signal, onProgress, touched } = this.#options;
    const offered = touched === undefined ? undefined : new FlowTable();
    const untouched = new Set<number>();
    const before = this.#settled;
    const report = await startLoad(
      this.#target,
      { items: offered === undefined ? flows : recorded(flows, offered) },
      {
        ...options,
        owner,
        workers: 0,
        ...(signal === undefined ? {} : { signal }),
        onProgress: ({ flows: settled }) => onProgress?.(before + settled, this.#all),
        onException: (exception) => {
          if (this.#errors.length < ERRORS_MAX) this.#errors.push(exception);
          const { state, line } = exception;
          if (state === "rejected" || state === "refused") untouched.add(line);
        },
      },
    );
    if (offered !== undefined) addExcept(touched, offered, untouched);
    this.#settled = before + report.lines;
    onProgress?.(this.#settled, this.#all);
    if (report.endErrno === EPERM) throw noPermission("changing flows");
    const failed = failedFlows(report);
    const lost = options.mode === "delete" ? report.reconciled.absent : report.reconciled.present;
    this.#sent += report.lines + report.reads;
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

/** The flows, which are put into a table as they are taken: the number of a flow is its line less one. */
function* recorded(flows: Iterable<Flow>, table: FlowTable): Generator<Flow, void> {
  for (const flow of flows) {
    table.put(flow.parts);
    yield flow;
  }
}

/** Adds the flows of a table to another one, but for those of some lines. */
function addExcept(
  into: FlowTable | undefined,
  flows: FlowTable,
  lines: ReadonlySet<number>,
): void {
  const view = newFlowParts();
  for (let index = 0; index < flows.size; index++) {
    if (!lines.has(index + 1)) into?.put(flows.read(index, view));
  }
}

function* flowsAt(table: FlowTable, numbers: readonly number[]): Generator<Flow, void> {
  const view = newFlowParts();
  for (const number of numbers) yield Flow.fromParts(table.read(number, view));
}

/**
 * Flows in an order in which a kernel takes them: of overlapping flows, the narrow one comes first.
 */
export function* inLoadOrder(table: FlowTable, numbers: readonly number[]): Generator<Flow, void> {
  const order = new LoadOrder<FlowParts>(copyFlow);
  const view = newFlowParts();
  for (const number of numbers) order.learn(table.read(number, view));
  for (const number of numbers) {
    if (order.admit(table.read(number, view))) yield Flow.fromParts(view);
  }
  for (const flow of order.rest()) yield Flow.fromParts(flow);
}

/** Flows with their identities in the datapath and the wanted actions. */
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
