import { Flow } from "../flow/flow.ts";
import { newFlowParts } from "../flow/parts.ts";
import type { LoadTarget } from "../load/send/connection.ts";
import { MillraceError } from "../sys/errors.ts";
import { FlowTable } from "./flow-table.ts";
import { type Conflict, type Plan, planSync, type PlanOptions } from "./plan.ts";
import { type OnRead, readDatapath } from "./read-table.ts";
import { type RolledBack, takeBack } from "./rollback.ts";
import { refuseSharedUfids } from "./shared-ufids.ts";
import { carryOut, countOf, type SyncOptions, type SyncReport } from "./sync.ts";

/** Options of a sync. */
export type SynchronizeOptions = PlanOptions &
  SyncOptions & {
    /** Makes the plan, but sends nothing. */
    readonly dryRun?: boolean;
    /** The most deletes and changes, in percent of the owner's held flows; 50 by default. */
    readonly maxChange?: number;
    /** Allows an empty wanted set. */
    readonly allowEmpty?: boolean;
    /** Reads the datapath again at the end, and compares. */
    readonly verify?: boolean;
    /** Whether to undo what was done if a flow fails, or if the sync ends early. */
    readonly rollback?: boolean;
    /** Called with the plan before anything is sent. */
    readonly onPlan?: (plan: Plan, held: FlowTable) => void;
    /** Called now and then while the datapath is read. */
    readonly onRead?: OnRead;
  };

/** Two flows that cannot both be as wanted. */
export type SyncConflict = {
  /** `gap`, `never`, `foreign` or `taken`; see {@link Conflict}. */
  readonly why: Conflict["why"];
  /** The wanted flow, as text. */
  readonly wanted: string;
  /** The existing flow, as text. */
  readonly held: string;
};

/** The result of a sync. */
export type SyncResult = SyncReport & {
  /** The first hundred conflicts; if there are any, nothing was sent. */
  readonly conflicts: readonly SyncConflict[];
  /** How many requests the plan takes; a dry run sends none of them. */
  readonly planned: number;
  /**
   * With `verify`: the number of flows that are not as wanted; otherwise, and after a rollback,
   * null.
   */
  readonly differing: number | null;
  /**
   * With `rollback`, after a failure: the number of requests that undid what was done, and how many
   * of them failed.
   */
  readonly rolledBack: RolledBack | null;
  /**
   * Why the datapath could not be read after the flows were sent, to undo or to verify them;
   * otherwise empty.
   */
  readonly checkFailure: string;
};

/** The result of a sync that sends nothing. */
export const NOTHING_SENT: SyncResult = {
  added: 0,
  changed: 0,
  deleted: 0,
  unchanged: 0,
  foreign: 0,
  sent: 0,
  failed: 0,
  unknown: 0,
  errors: [],
  ended: "complete",
  endReason: "",
  conflicts: [],
  planned: 0,
  differing: null,
  rolledBack: null,
  checkFailure: "",
};

const MAX_CHANGE = 50;
const CONFLICTS_MAX = 100;

/**
 * Brings a datapath to a wanted set of flows, with the fewest requests: flows that are as wanted
 * are not touched, and flows of both sets are never absent.
 * @throws MillraceError `UNSOUND_DUMP`, `EMPTY_SET`, `TOO_MUCH_CHANGE`, `NO_PERMISSION`; `FLOW_REFUSED`
 * if two flows have the same UFID
 */
export async function synchronize(
  target: LoadTarget,
  wanted: FlowTable,
  options: SynchronizeOptions = {},
): Promise<SyncResult> {
  if (wanted.size === 0 && options.allowEmpty !== true) {
    throw new MillraceError(
      "EMPTY_SET",
      "the wanted set has no flow: the datapath would be emptied; nothing was sent (add --allow-empty if that is intended)",
    );
  }
  refuseSharedUfids(wanted, options.owner);
  const held = readDatapath(target.datapath, readingOf(options));
  const plan = planSync(wanted, held, options);
  options.onPlan?.(plan, held);
  const planned = countOf(plan);
  const conflicts = plan.conflicts
    .slice(0, CONFLICTS_MAX)
    .map((conflict) => inWords(conflict, wanted, held));
  const { unchanged, foreign } = plan;
  const unsent = { ...NOTHING_SENT, unchanged, foreign, conflicts, planned };
  if (conflicts.length > 0) return unsent;
  refuseMuch(plan, options.maxChange ?? MAX_CHANGE, target.datapath.name);
  if (options.dryRun === true) return unsent;
  const touched = options.rollback === true ? new FlowTable() : undefined;
  const report = await carryOut(
    plan,
    wanted,
    held,
    target,
    touched === undefined ? options : { ...options, touched },
  );
  const sent = { ...report, conflicts, planned, differing: null, rolledBack: null };
  const isDone = report.ended === "complete" && report.failed + report.unknown === 0;
  try {
    if (!isDone && touched !== undefined) {
      const rolledBack = await takeBack(target, held, touched, options);
      return { ...sent, rolledBack, checkFailure: "" };
    }
    const differing = options.verify === true ? differingOf(wanted, target, options) : null;
    return { ...sent, differing, checkFailure: "" };
  } catch (error) {
    // Flows were sent: their account must not be lost.
    if (error instanceof MillraceError) return { ...sent, checkFailure: error.message };
    throw error;
  }
}

function readingOf({ onRead }: SynchronizeOptions): { readonly onRead?: OnRead } {
  return onRead === undefined ? {} : { onRead };
}

/** @throws MillraceError `TOO_MUCH_CHANGE` */
function refuseMuch(
  { deletesFirst, changes, deletes, owned }: Plan,
  percent: number,
  name: string,
) {
  const touched = deletesFirst.length + changes.length + deletes.length;
  if (touched * 100 <= owned * percent) return;
  throw new MillraceError(
    "TOO_MUCH_CHANGE",
    `${touched} of the owner's ${owned} flows in ${name} would be deleted or changed, at most ${percent} % may; nothing was sent (--max-change PERCENT allows more)`,
  );
}

// The number of wanted flows that are missing or have other actions, and of the owner's flows that
// should be gone.
function differingOf(wanted: FlowTable, target: LoadTarget, options: SynchronizeOptions): number {
  const held = readDatapath(target.datapath, readingOf(options));
  const left = planSync(wanted, held, options);
  return left.adds.length + left.changes.length + left.deletes.length + left.conflicts.length;
}

function inWords(conflict: Conflict, wanted: FlowTable, held: FlowTable): SyncConflict {
  return {
    why: conflict.why,
    wanted: textAt(wanted, conflict.wanted),
    held: textAt(held, conflict.held),
  };
}

/** Flow number `index` of a table, as text with the numbers of its ports. */
function textAt(table: FlowTable, index: number): string {
  return Flow.fromParts(table.read(index, newFlowParts())).toString();
}
