import type { DatapathHandle } from "../ovs/datapath.ts";
import type { FlowTable } from "./flow-table.ts";
import { type PlanOptions, planSync } from "./plan.ts";
import { readDatapath } from "./read-table.ts";

/** How the flows of a datapath and those that are wanted agree. */
export type Verification = {
  readonly wanted: number;
  /** Flows of the datapath. */
  readonly held: number;
  /** Wanted flows that are there, with their actions. */
  readonly equal: number;
  /** Wanted flows that are not there. */
  readonly missing: number;
  /** Wanted flows that are there with other actions. */
  readonly different: number;
  /** The owner's flows that are not wanted. */
  readonly extra: number;
  /** Flows of others. */
  readonly foreign: number;
};

/**
 * Compares the flows of a datapath with those that are wanted, by match and actions. The dump that it rests on is
 * sound: as many flows as the kernel counts before and after, none of them twice.
 * @throws MillraceError `UNSOUND_DUMP`
 */
export function verifyFlows(
  datapath: DatapathHandle,
  wanted: FlowTable,
  options: Pick<PlanOptions, "owner" | "all"> = {},
): Verification {
  const held = readDatapath(datapath);
  const plan = planSync(wanted, held, options);
  const taken = plan.conflicts.filter(({ why }) => why === "taken").length;
  const missing = wanted.size - plan.unchanged - plan.changes.length - taken;
  const different = plan.changes.length + taken;
  const equal = plan.unchanged;
  const extra = held.size - equal - different - plan.foreign;
  return {
    wanted: wanted.size,
    held: held.size,
    equal,
    missing,
    different,
    extra,
    foreign: plan.foreign,
  };
}
